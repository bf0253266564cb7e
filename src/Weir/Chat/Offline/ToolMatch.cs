namespace Weir.Chat.Offline;

/// <summary>How well a tool fits a message.</summary>
/// <param name="Score">Points for each word of the message that the tool has: in its name, in its schema, in its description.</param>
/// <param name="Precision">The share of the name's words that the message has: of two that fit equally, the plainer one is meant.</param>
internal sealed record ToolMatch(OfflineTool Tool, int Score, double Precision)
{
    private const int InName = 8;
    private const int InSchema = 4;
    private const int InDescription = 2;

    /// <summary>The tools that fit, the best first; of equals, the earlier one, which is the better priority's.</summary>
    public static IReadOnlyList<ToolMatch> Rank(string message, IReadOnlyList<OfflineTool> tools)
    {
        // What is inside a path or a URL is an argument, and says nothing of what is wanted.
        var said = Words.Of(Values.Prose(message));
        var implied = Words.Implied(message);
        return
        [
            .. tools.Select(t => Of(t, said, implied)).OfType<ToolMatch>()
                .OrderByDescending(m => m.Score).ThenByDescending(m => m.Precision),
        ];
    }

    /// <summary>Null where neither the name nor two words of the rest are in the message.</summary>
    private static ToolMatch? Of(OfflineTool tool, IReadOnlyList<string> said, IReadOnlyList<string> implied)
    {
        var name = Words.Of(tool.Tool);
        var schema = Words.Of(string.Join(' ', tool.Parameters.Select(p => $"{p.Name} {Enumeration(p)}")));
        var description = Words.Of(tool.Description);
        var score = 0;
        var inName = 0;
        var elsewhere = 0;
        foreach (var (word, isSaid) in said.Select(w => (w, true)).Concat(implied.Select(w => (w, false))))
        {
            var points = name.Contains(word, StringComparer.Ordinal) ? InName
                : schema.Contains(word, StringComparer.Ordinal) ? InSchema
                : description.Contains(word, StringComparer.Ordinal) ? InDescription : 0;
            score += isSaid ? points : points / 2;
            inName += points == InName ? 1 : 0;
            elsewhere += points is > 0 and < InName && isSaid ? 1 : 0;
        }

        return inName > 0 || elsewhere > 1 ? new ToolMatch(tool, score, name.Count == 0 ? 0 : (double)inName / name.Count) : null;
    }

    private static string Enumeration(Parameter parameter) =>
        parameter.Schema.ValueKind == System.Text.Json.JsonValueKind.Object
        && parameter.Schema.TryGetProperty("enum", out var values) && values.ValueKind == System.Text.Json.JsonValueKind.Array
            ? string.Join(' ', values.EnumerateArray().Select(v => v.ToString()))
            : "";
}
