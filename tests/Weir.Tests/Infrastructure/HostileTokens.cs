using System.Buffers.Text;
using System.Text;

namespace Weir.Tests.Infrastructure;

/// <summary>Bearers that are no tokens, and tokens that are signed well and say nonsense.</summary>
/// <param name="sign">The signature of a text, by the issuer's key.</param>
/// <param name="header">The header of a good token, JSON.</param>
/// <param name="claims">Good claims but for the one that is replaced, JSON members.</param>
internal sealed class HostileTokens(Func<byte[], byte[]> sign, string header, IReadOnlyDictionary<string, string> claims)
{
    private static readonly string[] Headers =
    [
        "", "null", "[]", "{", "1", "{}", """{"alg":"none"}""", """{"alg":"HS256","kid":"\ud800"}""", """{"alg":"ES256","kid":1}""",
        """{"alg":["ES256"]}""",
        """{"alg":"ES256","kid":"\u0000"}""", """{"alg":"ES256","alg":"HS256"}""", """{"\ud800":1}""", """{"alg":"HS256","zip":"DEF"}""",
        """{"alg":"dir","enc":"A128CBC-HS256"}""", """{"alg":"HS256","typ":{"a":1}}""", "\u00ff\u00fe", new string('[', 3000),
        """{"alg":"HS256","x5c":["!"]}""", """{"alg":"HS256","jwk":{"kty":1}}""", """{"alg":"HS256","kid":"=?base64?="}""",
    ];

    private static readonly string[] Values =
    [
        "null", "1", "-1", "1e400", "1e999999999", "9223372036854775807", "-9223372036854775808", "253402300799", "253402300800",
        "-62135596801", "0.5",
        "123456789012345678901234567890", "true", "\"\"", "\"x\"", "\"\\u0000\"", "\"a\\u0000b\"", "\"\\ud800\"", "\"\\udc00x\"", "[]",
        "[null]", "[1,{}]",
        "{}", "{\"a\":{\"a\":{}}}", "[\"authenticated\",\"anon\"]", "\"2026-11-30T00:00:00Z\"",
    ];

    public string Good => Make(header, Body([.. claims.Select(c => $"\"{c.Key}\":{c.Value}")]));

    public string Next(Random random) => random.Next(5) switch
    {
        0 =>
            Pick(
                random,
                [
                    "a.b.c", ".", "..", "...", "a..", "a.b", "....", "x", "e30.e30.", "e30.e30.e30", "=.=.=", "é.b.c",
                    new string('a', 5000), new string('.', 200), "a.b.c.d.e", "weir_", "weir_org_",
                ]),
        1 => Make(Pick(random, Headers), Body([.. claims.Select(c => $"\"{c.Key}\":{c.Value}")])),
        2 => Cut(random, Good),
        3 =>
            Make(
                header,
                Pick(random,
                    ["", "null", "[]", "{", "1", "\"x\"", "{}", "{\"a\":1,\"a\":2}", "{\"\\ud800\":1}", "\u00ff", new string('[', 3000)])),
        _ => Make(header, Body([.. claims.Select(c => $"\"{c.Key}\":{c.Value}"), Odd(random)])),
    };

    private static string Odd(Random random) =>
        $"\"{Pick(
            random,
            [
                "sub", "exp", "nbf", "iat", "aud", "iss", "role", "email", "email_verified", "session_id", "jti", "actort", "\\ud800",
                "\\u0000",
            ])}\":{Pick(random, Values)}";

    /// <summary>The last of two equal names is the odd one: it is put in the good one's place.</summary>
    private static string Body(string[] members) =>
        "{" + string.Join(
            ',', members.GroupBy(m => m[..m.IndexOf("\":", StringComparison.Ordinal)], StringComparer.Ordinal).Select(g => g.Last())) + "}";

    private string Make(string head, string body)
    {
        var text = $"{Base64Url.EncodeToString(Encoding.Latin1.GetBytes(head))}.{Base64Url.EncodeToString(Encoding.Latin1.GetBytes(body))}";
        return $"{text}.{Base64Url.EncodeToString(sign(Encoding.ASCII.GetBytes(text)))}";
    }

    private static string Cut(Random random, string token)
    {
        var at = random.Next(token.Length);
        return random.Next(3) switch
        {
            0 => token[..at],
            1 => token[at..],
            _ => token[..at] + Pick(random, ["!", ".", "=", "%00", "A"]) + token[at..],
        };
    }

    private static string Pick(Random random, string[] from) => from[random.Next(from.Length)];
}
