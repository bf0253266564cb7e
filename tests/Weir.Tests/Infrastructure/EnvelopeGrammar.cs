using System.Text;

namespace Weir.Tests.Infrastructure;

/// <summary>
/// Requests at an MCP endpoint: a quarter is well-formed, and what it asks for is odd; of the others most are nearly right, some are
/// rubbish. The same seed gives the same requests.
/// </summary>
internal sealed class EnvelopeGrammar(Random random, string host, string key, string[] paths, string[] names, string[] sessions)
{
    private static readonly string[] Methods =
    [
        "tools/call", "tools/call", "tools/call", "tools/call", "tools/list", "server/discover", "initialize", "ping", "resources/list",
        "resources/templates/list", "resources/read",
        "prompts/list", "prompts/get", "completion/complete", "logging/setLevel", "resources/subscribe", "resources/unsubscribe",
        "tasks/get", "notifications/initialized",
        "notifications/cancelled", "notifications/progress", "TOOLS/CALL", "tools/call ", "", "rpc.discover", "weir/secret", "__proto__",
    ];

    private static readonly string[] Ids = [
        "1", "1", "1", "\"a\"", "0", "-1", "1.5", "1e400", "9223372036854775808", "null", "true", "{}", "[1]", "\"\\u0000\"", "\"\\ud800\"",
        "\"é\\n\"",
    ];

    private static readonly string[] Versions = [
        "2026-07-28", "2026-07-28", "2026-07-28", "2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "v999", "",
        "2026-07-28\\u0000",
    ];

    private static readonly string[] Values =
    [
        "null", "true", "0", "-0", "1e9999", "1e-2147483648", "123456789012345678901234567890", "\"\"", "\"text\"", "\"\\ud800\"",
        "\"\\u0000\"", "\"\\u202e\"", "[]", "{}", "[[[[[[]]]]]]", "{\"a\":1,\"a\":2}", "{\"a\":1,\"A\":2}",
        "{\"é\":1,\"e\\u0301\":2}", "\"'; drop table agents; --\"", "\"../../etc/passwd\"", "\"=?base64?!!!?=\"",
        "{\"$ref\":\"http://127.0.0.1:1/\"}",
    ];

    private bool _isWellFormed;

    public FuzzedRequest Next()
    {
        _isWellFormed = random.Next(4) == 0;
        var version = _isWellFormed ? Versions[0] : Pick(Versions);
        var method = Pick(Methods);
        var name = Pick(names);
        var body = Encoding.UTF8.GetBytes(Message(method, name, version));
        if (OneIn(4))
        {
            body = Damage(body);
        }

        return new FuzzedRequest(Head(method, name, version, body.Length), body);
    }

    private string Message(string method, string name, string version)
    {
        if (OneIn(60))
        {
            return Pick(
                [
                    "", "null", "1", "\"\"", "[]", "{}", "[" + Object(method, name, version) + "]", new string('[', 5000),
                    new string('{', 70) + "}", "\ufeff{}",
                ]);
        }

        return Object(method, name, version);
    }

    private string Object(string method, string name, string version)
    {
        var members =
            new List<string> { $"\"method\":{Text(method)}", $"\"params\":{(OneIn(20) ? Pick(Values) : Params(method, name, version))}" };
        if (!OneIn(30))
        {
            members.Add(OneIn(20) ? $"\"jsonrpc\":{Pick(Values)}" : "\"jsonrpc\":\"2.0\"");
        }

        if (!OneIn(20))
        {
            members.Add($"\"id\":{(_isWellFormed ? Ids[0] : Pick(Ids))}");
        }

        if (OneIn(15))
        {
            members.Add($"\"{Pick(["result", "error", "id", "Method", "extra"])}\":{Pick(Values)}");
        }

        return "{" + string.Join(',', Shuffled(members)) + "}";
    }

    private string Params(string method, string name, string version)
    {
        var members = new List<string>();
        if (!OneIn(8))
        {
            members.Add($"\"_meta\":{Meta(version)}");
        }

        switch (method)
        {
            case "initialize":
                members.Add($"\"protocolVersion\":\"{version}\"");
                members.Add($"\"capabilities\":{(OneIn(4) ? Pick(Values) : "{}")}");
                members.Add("\"clientInfo\":{\"name\":\"fuzz\",\"version\":\"1\"}");
                break;
            case "resources/read" or "resources/subscribe" or "resources/unsubscribe":
                members.Add(
                    $"\"uri\":{(OneIn(8) ? Pick(Values)
                        : Text(Pick(["test://static-text", "weir://" + name + "/test://a", "file:///etc/passwd", "ui://x", name])))}");
                break;
            case "completion/complete":
                members.Add($"\"ref\":{{\"type\":\"ref/prompt\",\"name\":{Text(name)}}}");
                members.Add($"\"argument\":{(OneIn(4) ? Pick(Values) : "{\"name\":\"a\",\"value\":\"b\"}")}");
                break;
            default:
                members.Add($"\"name\":{(OneIn(20) ? Pick(Values) : Text(name))}");
                members.Add($"\"arguments\":{Arguments()}");
                break;
        }

        if (OneIn(10))
        {
            members.Add(
                $"\"{Pick(["cursor", "requestState", "inputResponses", "level", "requestId", "name", "progressToken"])}\":{Pick(Values)}");
        }

        return "{" + string.Join(',', Shuffled(members)) + "}";
    }

    private string Meta(string version)
    {
        var members = new List<string> { $"\"io.modelcontextprotocol/protocolVersion\":\"{(OneIn(20) ? Pick(Versions) : version)}\"" };
        if (!OneIn(12))
        {
            members.Add($"\"io.modelcontextprotocol/clientCapabilities\":{(OneIn(10) ? Pick(Values) : "{}")}");
        }

        if (!OneIn(4))
        {
            members.Add($"\"io.modelcontextprotocol/clientInfo\":{(OneIn(10) ? Pick(Values) : "{\"name\":\"fuzz\",\"version\":\"1\"}")}");
        }

        if (OneIn(6))
        {
            members.Add($"\"progressToken\":{Pick(Ids)}");
        }

        if (OneIn(10))
        {
            members.Add($"\"{Pick(["io.modelcontextprotocol/logLevel", "traceparent", "baggage", "x"])}\":{Pick(Values)}");
        }

        return "{" + string.Join(',', Shuffled(members)) + "}";
    }

    private string Arguments() => (_isWellFormed ? 5 : random.Next(6)) switch
    {
        0 => Pick(Values),
        1 => $"{{\"message\":{Pick(Values)}}}",
        2 => Nested(random.Next(80)),
        _ => $"{{\"message\":{Text(new string('x', random.Next(200)))}}}",
    };

    private static string Nested(int depth) =>
        "{\"a\":" + string.Concat(Enumerable.Repeat("[", depth)) + string.Concat(Enumerable.Repeat("]", depth)) + (depth == 0 ? "1}" : "}");

    private string Head(string method, string name, string version, int length)
    {
        var head = new StringBuilder().Append(OneIn(60) ? Pick(["DELETE", "PUT", "OPTIONS", "HEAD", "PATCH"]) : "POST").Append(' ')
            .Append(Pick(paths)).Append(" HTTP/1.1\r\n");
        head.Append("Host: ").Append(OneIn(200) ? Pick(["evil.example", "127.0.0.1", ""]) : host).Append("\r\n");
        Add(head, "Authorization",
            OneIn(40) ? Pick(["Bearer", "Bearer x", "Basic eDp5", "Bearer " + key[..^1], key, "Bearer " + key + key]) : "Bearer " + key);
        Add(head, "Accept", OneIn(40) ? Pick(["", "*/*", "text/html", "application/json"]) : "application/json, text/event-stream");
        Add(head, "Content-Type",
            OneIn(40) ? Pick(["text/plain", "application/json; charset=utf-16", "multipart/form-data"]) : "application/json");
        if (!OneIn(8))
        {
            Add(head, "MCP-Protocol-Version", Header(OneIn(20) ? Pick(Versions) : version));
        }

        if (!OneIn(8))
        {
            Add(head, "Mcp-Method", Header(OneIn(20) ? Pick(Methods) : method));
        }

        if (!OneIn(8))
        {
            Add(head, "Mcp-Name", Header(OneIn(20) ? Pick([.. names, "=?base64?ZWNobw==?=", "=?base64?Z?=", "=?base64?"]) : name));
        }

        if (OneIn(5))
        {
            Add(head, "Mcp-Session-Id", Header(Pick(sessions)));
        }

        if (OneIn(30))
        {
            Add(head, Pick(["Mcp-Param-Region", "Last-Event-ID", "Origin", "traceparent", "X-Forwarded-For", "Mcp-Method"]),
                Pick(["a", "http://evil.example", "null", "=?base64?====?=", "1-2"]));
        }

        return head.Append("Content-Length: ").Append(length).Append("\r\n\r\n").ToString();
    }

    private static void Add(StringBuilder head, string name, string value) => head.Append(name).Append(": ").Append(value).Append("\r\n");

    /// <summary>What a header can hold of it.</summary>
    private static string Header(string value) => string.Concat(value.Where(c => c is > ' ' and < '\x7f'));

    private byte[] Damage(byte[] body)
    {
        if (body.Length == 0)
        {
            return body;
        }

        var at = random.Next(body.Length);
        switch (random.Next(5))
        {
            case 0:
                return body[..at];
            case 1:
                body[at] = (byte)random.Next(256);
                return body;
            case 2:
                return [.. body[..at], .. body[random.Next(at + 1)..]];
            case 3:
                var noise = new byte[random.Next(1, 9)];
                random.NextBytes(noise);
                return [.. body[..at], .. noise, .. body[at..]];
            default:
                return [.. body, .. body[..at]];
        }
    }

    private IEnumerable<string> Shuffled(List<string> members)
    {
        var array = members.ToArray();
        random.Shuffle(array);
        return array;
    }

    /// <summary>Whether this time something is not as it should be.</summary>
    private bool OneIn(int n) => !_isWellFormed && random.Next(n) == 0;

    private string Pick(string[] from) => from[random.Next(from.Length)];

    private static string Text(string text) => System.Text.Json.JsonSerializer.Serialize(text);
}

/// <summary>One request, as it is written.</summary>
internal sealed record FuzzedRequest(string Head, byte[] Body)
{
    public override string ToString() => Head + Encoding.Latin1.GetString(Body);
}
