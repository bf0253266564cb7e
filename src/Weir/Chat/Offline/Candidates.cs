using System.Text.Json;

namespace Weir.Chat.Offline;

/// <summary>What earlier results of the same server offer for an argument. A value never goes from one server to another.</summary>
internal static class Candidates
{
    private static readonly string[] PathWords = ["path", "file", "directory", "filename", "filepath", "pathname"];

    public static bool IsPath(Parameter parameter) => Words.Of(parameter.Name).Intersect(PathWords, StringComparer.Ordinal).Any();

    public static bool IsUrl(Parameter parameter) =>
        parameter.Format is "uri" or "url" || Words.Of(parameter.Name).Any(w => w is "url" or "uri" or "link");

    public static IReadOnlyList<string> For(Parameter parameter, IEnumerable<string> results) =>
        [.. results.SelectMany(r => In(parameter, r)).Distinct(StringComparer.Ordinal)];

    /// <summary>
    /// The one that the message means: the only one, or the one with most of the message's words. Null where that is not clear.
    /// </summary>
    public static string? Choose(IReadOnlyList<string> candidates, string message)
    {
        if (candidates.Count <= 1)
        {
            return candidates.Count == 0 ? null : candidates[0];
        }

        var said = Words.Of(message);
        var best = candidates.Select(c => (Value: c, Hits: Words.Of(c).Intersect(said, StringComparer.Ordinal).Count()))
            .OrderByDescending(c => c.Hits).Take(2).ToArray();
        return best[0].Hits > best[1].Hits ? best[0].Value : null;
    }

    private static IEnumerable<string> In(Parameter parameter, string result)
    {
        var json = Parse(result);
        if (json is { } document)
        {
            return IsPath(parameter)
                ? Strings(document).Where(s => s.StartsWith('/') && !Values.LeadsOut(s))
                : Members(document, Words.Of(parameter.Name));
        }

        return IsPath(parameter) ? Values.PathLines(result) : IsUrl(parameter) ? Values.Urls(result) : [];
    }

    private static JsonElement? Parse(string result)
    {
        if (result.AsSpan().TrimStart() is not ['{' or '[', ..])
        {
            return null;
        }

        try
        {
            return JsonElement.Parse(result);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static IEnumerable<string> Strings(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.String => [element.GetString()!],
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Strings),
        JsonValueKind.Object => element.EnumerateObject().SelectMany(m => Strings(m.Value)),
        _ => [],
    };

    /// <summary>The texts and numbers under members of that name, wherever they are.</summary>
    private static IEnumerable<string> Members(JsonElement element, IReadOnlyList<string> name) => element.ValueKind switch
    {
        JsonValueKind.Array => element.EnumerateArray().SelectMany(e => Members(e, name)),
        JsonValueKind.Object => element.EnumerateObject().SelectMany(m =>
            m.Value.ValueKind is JsonValueKind.String or JsonValueKind.Number && name.Count > 0
                && Words.Of(m.Name).SequenceEqual(name, StringComparer.Ordinal)
                ? [m.Value.ToString()]
                : Members(m.Value, name)),
        _ => [],
    };
}
