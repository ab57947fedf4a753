"""A diagnosis as an HTML table, for notebooks."""

from html import escape


def render_diagnosis(diagnosis):
    """Render a diagnosis as a table with the findings below it, in the colours of the page.

    Parameters
    ----------
    diagnosis : Diagnosis
        Its `headline`, `figures` and `findings` are shown.

    Returns
    -------
    html : str
    """
    cell = '<td style="text-align: left">'
    rows = [
        f"<tr>{cell}{escape(name)}</td>{cell}{escape(value)}{escape(note and f' ({note})')}</td></tr>"
        for name, value, note in diagnosis.figures()
    ]
    items = [
        f"<li><strong>{escape(finding.problem)}</strong><br>Likely cause: {escape(finding.cause)}"
        f"<br>Remedy: {escape(finding.remedy)}</li>"
        for finding in diagnosis.findings
    ]
    found = f"<ul>{''.join(items)}</ul>" if items else ""
    return f"<p><strong>{escape(diagnosis.headline)}</strong></p><table>{''.join(rows)}</table>{found}"
