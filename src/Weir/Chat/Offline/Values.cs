using System.Globalization;
using System.Text.RegularExpressions;

namespace Weir.Chat.Offline;

/// <summary>What a text holds that could be an argument: things in quotes, paths, URLs, numbers, patterns.</summary>
internal static partial class Values
{
    /// <summary>A text longer than this is not searched further: it is a document, not a message.</summary>
    private const int MaxText = 32 * 1024;

    public static IReadOnlyList<string> Quoted(string text) =>
        [.. QuotedPattern().Matches(Head(text)).Select(m => m.Groups["a"].Value + m.Groups["b"].Value + m.Groups["c"].Value).Where(v => v.Length > 0)];

    public static IReadOnlyList<string> Urls(string text) => Tokens(text, UrlPattern());

    /// <summary>Absolute paths, and names with a slash or an extension.</summary>
    public static IReadOnlyList<string> Paths(string text) =>
        [.. Tokens(UrlPattern().Replace(Head(text), " "), PathPattern()).Where(p => !p.Contains('*') && !IsNumber(p) && !LeadsOut(p))];

    /// <summary>Globs: words with * or ? between other characters.</summary>
    public static IReadOnlyList<string> Patterns(string text) => Tokens(text, GlobPattern());

    public static IReadOnlyList<double> Numbers(string text) =>
        [.. NumberPattern().Matches(Head(text)).Select(m => double.Parse(m.Value, CultureInfo.InvariantCulture)).Where(double.IsFinite)];

    /// <summary>What stands behind <c>name=</c> or <c>name:</c>, with or without quotes.</summary>
    public static string? Named(string text, string name)
    {
        var match = Regex.Match(
            Head(text), $@"(?<![\w-]){Regex.Escape(name)}\s*[:=]\s*(?:""(?<v>[^""\n]*)""|'(?<v>[^'\n]*)'|`(?<v>[^`\n]*)`|(?<v>[^\s,;""'`]+))",
            RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, TimeSpan.FromMilliseconds(100));
        return match.Success && match.Groups["v"].Value.TrimEnd('?', '!') is { Length: > 0 } value ? value : null;
    }

    /// <summary>Whole lines that are an absolute path: what servers list may hold spaces.</summary>
    public static IReadOnlyList<string> PathLines(string text) =>
        [.. Head(text).Split('\n').Select(l => l.Trim()).Where(l => l.Length > 1 && l[0] == '/' && !LeadsOut(l)).Distinct(StringComparer.Ordinal)];

    /// <summary>A path that climbs is never taken over.</summary>
    public static bool LeadsOut(string path) => path.Split('/', '\\').Any(s => s is ".." or ".");

    private static IReadOnlyList<string> Tokens(string text, Regex pattern) =>
        [.. pattern.Matches(Head(text)).Select(m => m.Value.TrimEnd('.', ',', ';', ':', '!', '?', ')')).Where(v => v.Length > 1).Distinct(StringComparer.Ordinal)];

    private static bool IsNumber(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out _);

    private static string Head(string text) => text.Length <= MaxText ? text : text[..MaxText];

    [GeneratedRegex("\"(?<a>[^\"\\n]+)\"|`(?<b>[^`\\n]+)`|(?<![\\w])'(?<c>[^'\\n]+)'(?![\\w])|“(?<a>[^”\\n]+)”", RegexOptions.CultureInvariant, 100)]
    private static partial Regex QuotedPattern();

    [GeneratedRegex(@"\bhttps?://[^\s""'`<>]+", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase, 100)]
    private static partial Regex UrlPattern();

    [GeneratedRegex(@"(?<![\w./-])(?:/[\w.@+-]+(?:/[\w.@+-]+)*/?|[\w@+-][\w.@+-]*(?:/[\w.@+-]+)+/?|[\w@+-]+(?:\.[\w@+-]+)*\.[A-Za-z][A-Za-z0-9]{0,5})(?![\w])", RegexOptions.CultureInvariant, 100)]
    private static partial Regex PathPattern();

    [GeneratedRegex(@"(?<!\S)[\w./-]*\*[\w./*?-]*", RegexOptions.CultureInvariant, 100)]
    private static partial Regex GlobPattern();

    [GeneratedRegex(@"(?<![\w./-])-?\d{1,15}(?:\.\d{1,10})?(?![\w/])(?!\.\d)", RegexOptions.CultureInvariant, 100)]
    private static partial Regex NumberPattern();
}
