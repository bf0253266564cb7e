using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;

namespace Weir.Tests.Infrastructure;

/// <summary>One endpoint as it is mapped.</summary>
/// <param name="Methods">Empty where any is taken.</param>
internal sealed record MappedRoute(string Pattern, string[] Methods);

/// <param name="IsFramed">Whether it is one whole request of HTTP; of any other the server may close the connection without an
/// answer.</param>
internal sealed record EndpointRequest(FuzzedRequest Request, bool IsFramed);

/// <summary>What a program has that requests are made of.</summary>
/// <param name="Segments">Values of route parameters by name.</param>
/// <param name="Bodies">Good bodies by the beginning of a pattern.</param>
/// <param name="Credentials">Good bearers.</param>
/// <param name="BadToken">A bearer that is none.</param>
internal sealed record EndpointWorld(
    string Host, MappedRoute[] Routes, IReadOnlyDictionary<string, string[]> Segments, (string Pattern, string Body)[] Bodies,
    string[] Credentials,
    Func<Random, string> BadToken);

/// <summary>
/// Requests at every endpoint that a program maps, hostile in each part that a client writes. The same seed gives the same requests.
/// </summary>
internal sealed partial class EndpointGrammar(Random random, EndpointWorld world)
{
    private static readonly string[] Methods = [
        "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "FOO", "get", "P\u00d6ST",
    ];

    private static readonly string[] OddSegments =
    [
        "%00", "%2e%2e", "..%2f..%2fetc", "%ff", "%ed%a0%80", "%f0%9f%98%80", "%", "%zz", "a%0d%0aX-A:%201", "'", "%22", "*", "-1", "0",
        "null", "undefined",
        "00000000-0000-0000-0000-000000000000", "{", "%7B%7D", "%E2%80%AE", "a;b=c", "~", "%25%30%30", "con", "é",
    ];

    private static readonly string[] Parameters =
    [
        "grant_type", "scope", "select", "order", "limit", "offset", "tools", "columns", "on_conflict", "or", "and", "not.or", "id", "name",
        "organization_id", "org_id", "agent_id", "config",
        "tail", "since", "x", "", "%00", "%ff", "a.b", "filter", "before",
    ];

    private static readonly string[] Values =
    [
        "password", "refresh_token", "search", "*", "1", "-1", "0", "99999999999999999999", "1e400", "0x10", "NaN", "", "%00", "a%00b",
        "%ff", "%ed%a0%80", "%ud800", "%", "%2", "eq.1", "eq.",
        "not.is.null", "in.(1,2", "in.(%22a%22,b)", "(id.eq.1,or(id.eq.2", "id,name", "id::uuid", "a-%3E%3Eb", "data-%3E0",
        "2026-11-30T00:00:00Z", "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00",
        "%7B%22%5Cud800%22:1%7D", "%7B%22a%22:%22%5Cud800%22%7D", "%5B%5B%5B%5D%5D%5D", "eq.%F0%9F%98%80", "like.*%25*",
        "00000000-0000-0000-0000-000000000000", "%7B", "desc", "id.desc.nullslast", "global",
        "%E2%80%AE%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%8"
            + "0%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F"
            + "0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9"
            + "F%98%80%F0%9F%98%80%F0%9F%98%80",
    ];

    private static readonly string[] HeaderNames =
    [
        "Accept", "Accept-Profile", "Content-Profile", "Prefer", "Range", "Range-Unit", "Origin", "Cookie", "Mcp-Session-Id",
        "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Param-X", "Last-Event-ID",
        "Weir-Handover", "Weir-Capability-Version", "Idempotency-Key", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
        "Forwarded", "traceparent", "tracestate", "apikey", "x-client-info", "If-None-Match",
        "If-Modified-Since", "Upgrade", "X-HTTP-Method-Override", "Accept-Encoding", "Accept-Language", "Access-Control-Request-Method",
        "Access-Control-Request-Headers", "Referer", "Date", "Via",
    ];

    private static readonly string[] HeaderValues =
    [
        "=?base64?=", "=?base64?", "=?base64??=", "=?base64?!?=", "=?base64?gA==?=", "=?base64?7aCA?=", "=?base64?AA==?=", "", " ", "*/*",
        "application/json", "application/json, text/event-stream",
        "application/vnd.pgrst.object+json;nulls=stripped", ";;;", ",,,", "q=", "text/html;q=0.1, */*;q=0", "application/*;q=x",
        "a/b;charset=\"", "public", "count=exact,handling=strict", "handling=strict, x=y", "items", "0-9", "9-0",
        "99999999999999999999-99999999999999999999", "-5", "bytes=0-1", "null", "http://evil.example", "http://[", "://", "\u00e9",
        "\u00ff\u00fe", "a=b; c", "%00", "1.2.3.4, ::1, x, [::1]:99999", "for=\"[::\"", "00-0-0-0", "websocket",
        "2026-07-28", "2025-11-25", "v999", "tools/call", "1", "-1", "99999999999", "0", "AAAA", "____", "====",
        "Thu, 99 Foo 2026 99:99:99 GMT", "{}",
    ];

    private static readonly string[] ContentTypes =
    [
        "application/json", "application/json", "application/json; charset=utf-8", "application/json; charset=utf-16",
        "application/json; charset=\"", "application/json; charset=x-none", "application/json;;;", "text/plain",
        "application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=x",
        "application/octet-stream", "text/csv", "", "/", "json", "application/vnd.pgrst.object+json", "\u00ff",
    ];

    private static readonly string[] Json =
    [
        "", "null", "1", "\"\"", "[]", "{}", "{", "}", "{]", "\"\\ud800\"", "{\"\\ud800\":1}", "{\"\\udc00\":{}}", "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\u0000\"}", "{\"\\u0000\":1}", "{\"a\":1,\"a\":2}", "{\"a\":1e999999}",
        "{\"a\":-0}", "{\"a\":123456789012345678901234567890}", "\ufeff{}", "{}{}", "{} x", "// c\n{}", "{\"a\":1,}", "{'a':1}",
        "{\"a\":NaN}", "{\"a\":tru}", "{\"__proto__\":{}}", "[null]", "[[[[[[]]]]]]", "{\"$type\":\"x\"}", "{\"$ref\":\"1\"}",
        "{\"$id\":1}",
    ];

    private static readonly string[] Members =
    [
        "null", "1", "-1", "1.5", "1e400", "1e999999999", "1e-2147483648", "1e2147483647", "true", "\"\"", "\"x\"", "\"\\ud800\"",
        "\"\\u0000\"", "\"\\uD83D\\uDE00\"", "[]", "{}", "[null]", "[[]]", "{\"\\ud800\":1}", "{\"a\":1,\"a\":2}", "9223372036854775808",
        "2147483648",
        "\"00000000-0000-0000-0000-000000000000\"", "\"2026-11-30\"", "\"http://[\"", "\"http://127.0.0.1:99999\"",
    ];

    public EndpointRequest Next()
    {
        var route = world.Routes[random.Next(world.Routes.Length)];
        var method = OneIn(5)
            ? Pick(Methods) : route.Methods.Length == 0 ? Pick(["GET", "POST", "POST", "POST", "DELETE"]) : Pick(route.Methods);
        var body = method is "GET" or "HEAD" && !OneIn(6) ? [] : Body(route.Pattern);
        var head = new StringBuilder().Append(method).Append(' ').Append(Path(route.Pattern)).Append(" HTTP/1.")
            .Append(OneIn(200) ? '0' : '1').Append("\r\n");
        Add(head, "Host", OneIn(60) ? Pick(["", "[", "a:b", "evil.example", "127.0.0.1", "[::1]:99999", "\u00e9"]) : world.Host);
        Credential(head);
        Add(head, "Accept", OneIn(8) ? Pick(HeaderValues) : "application/json, text/event-stream");
        for (var i = random.Next(4); i > 0; i--)
        {
            Add(head, Pick(HeaderNames), Pick(HeaderValues));
        }

        return Framed(head, body);
    }

    private EndpointRequest Framed(StringBuilder head, byte[] body)
    {
        if (body.Length > 0 || OneIn(4))
        {
            Add(head, "Content-Type", OneIn(6) ? Pick(ContentTypes) : "application/json");
        }

        if (OneIn(12))
        {
            Add(head, "Content-Encoding", Pick(["gzip", "br", "deflate", "identity", "gzip, gzip", "x"]));
            body = OneIn(2) ? Zipped(body) : body;
        }

        if (OneIn(60))
        {
            Add(head, "Expect", Pick(["100-continue", "x"]));
        }

        if (OneIn(12))
        {
            return Misframed(head, body);
        }

        if (OneIn(8))
        {
            Add(head, "Transfer-Encoding", "chunked");
            return new EndpointRequest(new FuzzedRequest(head.Append("\r\n").ToString(), Chunks(body)), IsFramed: true);
        }

        Add(head, "Content-Length", body.Length.ToString(CultureInfo.InvariantCulture));
        return new EndpointRequest(new FuzzedRequest(head.Append("\r\n").ToString(), body), IsFramed: true);
    }

    /// <summary>What the length of is wrong, so that the server waits for more, or finds more than there should be.</summary>
    private EndpointRequest Misframed(StringBuilder head, byte[] body)
    {
        switch (random.Next(8))
        {
            case 0:
                Add(head, "Content-Length", (body.Length + 1 + random.Next(1000)).ToString(CultureInfo.InvariantCulture));
                break;
            case 1:
                Add(head, "Content-Length", Pick(["-1", "x", "99999999999999999999", "1, 1", "0x10", "", "+1", "2147483648"]));
                break;
            case 2:
                Add(head, "Content-Length", "1");
                Add(head, "Content-Length", "2");
                break;
            case 3:
                Add(head, "Content-Length", body.Length.ToString(CultureInfo.InvariantCulture));
                Add(head, "Transfer-Encoding", "chunked");
                body = Chunks(body);
                break;
            case 4:
                Add(head, "Transfer-Encoding", Pick(["gzip", "chunked, gzip", "gzip, chunked", "identity", "xchunked", "Chunked", ""]));
                break;
            case 5:
                Add(head, "Transfer-Encoding", "chunked");
                body =
                    Encoding.ASCII.GetBytes(
                        Pick(
                            [
                                "zz\r\n", "-1\r\n\r\n", "ffffffffffffffff\r\n", "1\r\nab\r\n0\r\n\r\n", "5\r\nab", "0\r\n",
                                "3;x=\"\r\nabc\r\n0\r\n\r\n", "\r\n\r\n",
                            ]));
                break;
            case 6:
                Add(head, "Transfer-Encoding", "chunked");
                body = Chunks(body)[..^random.Next(1, 5)];
                break;
            default:
                Add(head, "Content-Length", Math.Max(0, body.Length - 1 - random.Next(50)).ToString(CultureInfo.InvariantCulture));
                break;
        }

        return new EndpointRequest(new FuzzedRequest(head.Append("\r\n").ToString(), body), IsFramed: false);
    }

    private void Credential(StringBuilder head)
    {
        switch (random.Next(8))
        {
            case 0:
                break;
            case 1 or 2 or 3:
                Add(head, "Authorization", "Bearer " + world.BadToken(random));
                break;
            case 4 when OneIn(3):
                Add(head, "Authorization",
                    Pick(["Bearer", "Bearer ", "Basic eDp5", "bearer\tx", "", "Bearer a b c", "\u00ff", "Digest a=\""]));
                break;
            case 5 when OneIn(6):
                Add(head, "Authorization", "Bearer " + Pick(world.Credentials));
                Add(head, "Authorization", "Bearer x");
                break;
            default:
                Add(head, "Authorization", "Bearer " + Pick(world.Credentials));
                break;
        }
    }

    private string Path(string pattern)
    {
        var path = Parameter().Replace(pattern.StartsWith('/') ? pattern : "/" + pattern, p =>
            OneIn(3) || !world.Segments.TryGetValue(p.Groups["name"].Value, out var values) ? Pick(OddSegments) : Pick(values));
        if (OneIn(40))
        {
            path += Pick(["/", "//", "/..", "/%2e%2e/%2e%2e", "%00", "?", "#", ";a", "\\", new string('a', 3000)]);
        }

        if (OneIn(3))
        {
            path += "?" + string.Join('&', Enumerable.Range(0, random.Next(1, 4)).Select(_ => $"{Pick(Parameters)}={Pick(Values)}"));
        }

        return path;
    }

    private byte[] Body(string pattern)
    {
        var good = world.Bodies.Where(b => pattern.StartsWith(b.Pattern, StringComparison.Ordinal)).Select(b => b.Body).ToArray();
        var text = good.Length == 0 || OneIn(6) ? Pick(Json) : Pick(good);
        if (OneIn(2) && good.Length > 0)
        {
            // One value of it becomes another one.
            var values = Value().Matches(text);
            if (values.Count > 0)
            {
                var value = values[random.Next(values.Count)].Groups["value"];
                text = text[..value.Index] + Pick(Members) + text[(value.Index + value.Length)..];
            }
        }

        if (OneIn(40))
        {
            text =
                Pick(
                    [
                        new string('[', 3000), "[" + string.Join(',', Enumerable.Repeat("{}", 3000)) + "]", "{\"servers\":["
                            + string.Join(',', Enumerable.Repeat("{}", 6000)) + "]}", "{\"a\":\"" + new string('x', 70_000) + "\"}",
                    ]);
        }

        var body = Encoding.UTF8.GetBytes(text);
        return OneIn(6) ? Damage(body) : body;
    }

    private byte[] Damage(byte[] body)
    {
        var at = random.Next(body.Length + 1);
        return random.Next(3) switch
        {
            0 => body[..at],
            1 => [.. body[..at], (byte)random.Next(256), .. body[at..]],
            _ => [.. body[..at], .. (byte[])[0xED, 0xA0, 0x80], .. body[at..]],
        };
    }

    private static byte[] Chunks(byte[] body) =>
        [
            .. body.Length == 0 ? [] : Encoding.ASCII.GetBytes($"{body.Length:x}\r\n"), .. body, .. body.Length == 0
                ? ""u8 : "\r\n"u8, .. "0\r\n\r\n"u8,
        ];

    private static byte[] Zipped(byte[] body)
    {
        using var zipped = new MemoryStream();
        using (var gzip = new GZipStream(zipped, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(body);
        }

        return zipped.ToArray();
    }

    private static void Add(StringBuilder head, string name, string value) => head.Append(name).Append(": ").Append(value).Append("\r\n");

    private bool OneIn(int n) => random.Next(n) == 0;

    private string Pick(string[] from) => from[random.Next(from.Length)];

    [GeneratedRegex(@"\{\*{0,2}(?<name>\w+)[^}]*\}", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Parameter();

    [GeneratedRegex(
        @":\s*(?<value>""[^""]*""|-?\d+|true|false|null|\[\]|\{\})", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Value();
}
