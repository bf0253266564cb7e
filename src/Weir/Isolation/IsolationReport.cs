using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Weir.Isolation;

/// <summary>What was looked at, and what is not as promised.</summary>
/// <param name="Checks">How many promises were looked at.</param>
/// <param name="Attempts">How much the attack tried; null where there was none.</param>
internal sealed record IsolationReport(int Checks, int? Attempts, IReadOnlyList<Finding> Findings, IReadOnlyList<Finding> Notes)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>With what an attack tried and found.</summary>
    public IsolationReport With(int attempts, IEnumerable<Finding> findings, IEnumerable<Finding> notes) =>
        this with { Attempts = attempts, Findings = [.. Findings, .. findings], Notes = [.. Notes, .. notes] };

    public string AsJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>A paragraph for each finding, then each note, then one line that counts.</summary>
    public string AsText()
    {
        string[] paragraphs =
        [
            .. Findings.Select(finding => Paragraph(finding, finding.Id)),
            .. Notes.Select(note => Paragraph(note, "note " + note.Id)),
            $"{Count(Findings.Count, "finding")} in "
                + $"{Count(Checks, "check")}{(Attempts is { } attempts ? $" and {Count(attempts, "attempt")}" : "")}.",
        ];
        return string.Join(Environment.NewLine + Environment.NewLine, paragraphs);
    }

    private static string Paragraph(Finding finding, string title) => string.Join(Environment.NewLine,
        $"{title}: {finding.Object}",
        $"  found    {finding.Found}",
        $"  promise  {finding.Promise}",
        $"  fix      {finding.Fix}");

    private static string Count(int number, string what) => $"{number} {what}{(number == 1 ? "" : "s")}";
}
