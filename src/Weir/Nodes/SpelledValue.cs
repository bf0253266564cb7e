using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.RegularExpressions;

namespace Weir.Nodes;

/// <summary>The ways in which a server may print a value. Servers are Node's, so what JavaScript writes comes first.</summary>
internal static partial class SpelledValue
{
    /// <summary>As it is, as JSON, as JSON in JSON, as <c>console.log</c> prints an object, as a URL, and in Base64.</summary>
    public static IEnumerable<string> Forms(string value)
    {
        var base64 = Convert.ToBase64String(Encoding.UTF8.GetBytes(value)).TrimEnd('=');
        return Line(value).Append(base64).Append(base64.Replace('+', '-').Replace('/', '_')).Distinct(StringComparer.Ordinal);
    }

    /// <summary>The same without Base64, in which a line of a value is not to be found.</summary>
    public static IEnumerable<string> Line(string text)
    {
        var (json, ascii, url) = (Json(text, isAscii: false), Json(text, isAscii: true), Uri.EscapeDataString(text));
        var component = url.Replace("%21", "!").Replace("%27", "'").Replace("%28", "(").Replace("%29", ")").Replace("%2A", "*");
        string[] upper =
        [
            text,
            json,
            ascii,
            JavaScriptEncoder.Default.Encode(text),
            Json(json, isAscii: false),
            Json(ascii, isAscii: true),
            Escape(text, @"\", 'x', isAscii: false),
            Escape(text, @"\'", 'x', isAscii: false),
            url,
            component,
            url.Replace("%20", "+"),
            component.Replace("%20", "+"),
            // URLSearchParams.
            url.Replace("%20", "+").Replace("%2A", "*").Replace("~", "%7E"),
        ];
        return upper.SelectMany(form => (string[])[form, Hexadecimal().Replace(form, match => match.Value.ToLowerInvariant())])
            .Distinct(StringComparer.Ordinal);
    }

    private static string Json(string text, bool isAscii) => Escape(text, "\"\\", 'u', isAscii);

    /// <param name="marked">Characters that get a backslash.</param>
    /// <param name="control">How a control character without a letter of its own begins: <c>\u001B</c> or <c>\x1B</c>.</param>
    private static string Escape(string text, string marked, char control, bool isAscii)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (var character in text)
        {
            _ = character switch
            {
                '\b' => escaped.Append(@"\b"),
                '\f' => escaped.Append(@"\f"),
                '\n' => escaped.Append(@"\n"),
                '\r' => escaped.Append(@"\r"),
                '\t' => escaped.Append(@"\t"),
                < ' ' when control == 'x' => escaped.Append(CultureInfo.InvariantCulture, $"\\x{(int)character:X2}"),
                < ' ' => escaped.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:X4}"),
                > '~' when isAscii => escaped.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:X4}"),
                _ when marked.Contains(character, StringComparison.Ordinal) => escaped.Append('\\').Append(character),
                _ => escaped.Append(character),
            };
        }

        return escaped.ToString();
    }

    [GeneratedRegex(@"%[0-9A-F]{2}|\\u[0-9A-F]{4}|\\x[0-9A-F]{2}", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Hexadecimal();
}
