using System.Globalization;

namespace Weir.Chat.Offline;

/// <summary>
/// What a text holds that could be an argument: things in quotes, paths, URLs, numbers, patterns. Scanned by hand, in one pass
/// each: texts come from outside, and a clever one must not cost more time than its length.
/// </summary>
internal static class Values
{
    private const int MaxExtension = 6;
    private const int MaxNumberLength = 20;
    private const string Separators = "\"'`“”<>()[]{},;|";

    /// <summary>Each kind of quotation: how it begins and how it ends.</summary>
    private static readonly (char Open, char Close)[] Quotations = [('"', '"'), ('`', '`'), ('\'', '\''), ('“', '”')];

    public static IReadOnlyList<string> Quoted(string text) => [.. text.Split('\n').SelectMany(QuotedInLine).Where(q => q.Length > 0)];

    public static IReadOnlyList<string> Urls(string text) => [.. Tokens(text).Where(IsUrl).Distinct(StringComparer.Ordinal)];

    /// <summary>Absolute paths, and names with a slash or an extension. One that climbs is never taken over.</summary>
    public static IReadOnlyList<string> Paths(string text) =>
        [.. Tokens(text).Where(t => !IsUrl(t) && IsPath(t) && !LeadsOut(t)).Distinct(StringComparer.Ordinal)];

    /// <summary>Globs: words with a *.</summary>
    public static IReadOnlyList<string> Patterns(string text) =>
    [
        .. Tokens(text).Where(t => t.Contains('*', StringComparison.Ordinal) && t.All(c => IsNameCharacter(c) || c is '/' or '*' or '?'))
            .Distinct(StringComparer.Ordinal),
    ];

    /// <summary>The text without what is a path, a URL or a pattern.</summary>
    public static string Prose(string text) =>
        string.Join(' ', Tokens(text).Where(t => !IsUrl(t) && !IsPath(t) && !t.Contains('*', StringComparison.Ordinal)));

    public static IReadOnlyList<double> Numbers(string text) => [.. Tokens(text).Select(Number).OfType<double>()];

    /// <summary>Whole lines that are an absolute path: what servers list may hold spaces.</summary>
    public static IReadOnlyList<string> PathLines(string text) =>
        [
            .. text.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 1 && l[0] == '/' && !LeadsOut(l))
                .Distinct(StringComparer.Ordinal),
        ];

    /// <summary>What stands behind <c>name=</c> or <c>name:</c>, with or without quotes.</summary>
    public static string? Named(string text, string name)
    {
        for (var at = Find(0); at >= 0; at = Find(at + 1))
        {
            var i = SkipSpace(text, at + name.Length);
            var isWhole = at == 0 || !(char.IsLetterOrDigit(text[at - 1]) || text[at - 1] is '_' or '-');
            if (isWhole && i < text.Length && text[i] is ':' or '=' && Value(text, SkipSpace(text, i + 1)) is { Length: > 0 } value)
            {
                return value;
            }
        }

        return null;

        int Find(int from) => name.Length == 0 || from >= text.Length ? -1 : text.IndexOf(name, from, StringComparison.OrdinalIgnoreCase);
    }

    public static bool LeadsOut(string path) => path.Split('/', '\\').Any(s => s is ".." or ".");

    private static string Value(string text, int start)
    {
        if (start >= text.Length)
        {
            return "";
        }

        foreach (var (open, close) in Quotations)
        {
            if (text[start] == open && text.IndexOf(close, start + 1) is > 0 and var end)
            {
                return text[(start + 1)..end];
            }
        }

        var stop = start;
        while (stop < text.Length && !char.IsWhiteSpace(text[stop]) && text[stop] is not (',' or ';' or '"' or '\'' or '`'))
        {
            stop++;
        }

        return text[start..stop].TrimEnd('?', '!');
    }

    private static int SkipSpace(string text, int i)
    {
        while (i < text.Length && text[i] is ' ' or '\t')
        {
            i++;
        }

        return i;
    }

    private static IEnumerable<string> QuotedInLine(string line)
    {
        // A kind that is not closed once on this line is not closed later either.
        var unclosed = "";
        for (var i = 0; i < line.Length; i++)
        {
            var (open, close) = Quotations.FirstOrDefault(q => q.Open == line[i]);
            if (open == '\0' || unclosed.Contains(open, StringComparison.Ordinal)
                || (open == '\'' && i > 0 && char.IsLetterOrDigit(line[i - 1])))
            {
                continue;
            }

            var end = Closing(line, i + 1, close);
            if (end < 0)
            {
                unclosed += open;
            }
            else
            {
                yield return line[(i + 1)..end];
                i = end;
            }
        }
    }

    /// <summary>An apostrophe inside a word closes nothing.</summary>
    private static int Closing(string line, int from, char close)
    {
        var end = line.IndexOf(close, from);
        while (close == '\'' && end >= 0 && end + 1 < line.Length && char.IsLetterOrDigit(line[end + 1]))
        {
            end = line.IndexOf(close, end + 1);
        }

        return end;
    }

    private static IEnumerable<string> Tokens(string text)
    {
        var start = 0;
        for (var i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && !char.IsWhiteSpace(text[i]) && !Separators.Contains(text[i], StringComparison.Ordinal))
            {
                continue;
            }

            var token = text[start..i].TrimEnd('.', ':', '!', '?');
            start = i + 1;
            if (token.Length > 0)
            {
                yield return token;
            }
        }
    }

    private static bool IsUrl(string token) =>
        (token.StartsWith("https://", StringComparison.OrdinalIgnoreCase)
            || token.StartsWith("http://", StringComparison.OrdinalIgnoreCase))
        && Uri.TryCreate(token, UriKind.Absolute, out _);

    private static bool IsPath(string token)
    {
        if (token.Length < 2 || !token.All(c => IsNameCharacter(c) || c == '/') || !token.Any(char.IsLetter))
        {
            return false;
        }

        var name = token[(token.LastIndexOf('/') + 1)..];
        var dot = name.LastIndexOf('.');
        var hasExtension = dot > 0 && name.Length - dot - 1 is > 0 and <= MaxExtension && char.IsLetter(name[dot + 1]);
        return token.Contains('/', StringComparison.Ordinal) || hasExtension;
    }

    private static bool IsNameCharacter(char c) => char.IsLetterOrDigit(c) || c is '_' or '-' or '.' or '+' or '@';

    private static double? Number(string token) =>
        token.Length <= MaxNumberLength
        && double.TryParse(
            token, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
        && double.IsFinite(number) ? number : null;
}
