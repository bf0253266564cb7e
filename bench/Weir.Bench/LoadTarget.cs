using System.Text;

namespace Weir.Bench;

/// <summary>What is asked again and again, and in which transport.</summary>
/// <param name="Request">The bytes of one connection's request, head and body, by the connection's number.</param>
/// <param name="Sign">What an answer that is right has in it.</param>
/// <param name="OverSse">Whether it is the transport of 2024-11-05, where answers come on a stream beside the POST; then
/// <paramref name="Request"/> is only the body.</param>
internal sealed record LoadTarget(Uri Url, Func<int, byte[]> Request, string Sign = "\"content\"", bool OverSse = false)
{
    private const string Meta =
        """ "_meta":{"io.modelcontextprotocol/"""
            + """protocolVersion":"2026-07-28","io.modelcontextprotocol/"""
            + """clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{} }""";

    public const string Initialize =
        """{"jsonrpc":"2."""
            + """0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"benc"""
            + """h","version":"1"} } }""";

    public const string Initialized = """{"jsonrpc":"2.0","method":"notifications/initialized"}""";

    /// <summary>A modern tools/call of an echo.</summary>
    /// <param name="bytes">Size of the text that is echoed.</param>
    public static LoadTarget Call(Uri url, string tool, string? key, int bytes = 64)
    {
        var request = Modern(url, "tools/call", tool, key, Arguments(tool, bytes) + ",");
        return new LoadTarget(url, _ => request);
    }

    public static LoadTarget ListTools(Uri url, string key)
    {
        var request = Modern(url, "tools/list", name: null, key, "");
        return new LoadTarget(url, _ => request, "\"tools\"");
    }

    public static byte[] Listen(Uri url, string key) =>
        Modern(url, "subscriptions/listen", name: null, key, """ "notifications":{"toolsListChanged":true},""");

    /// <summary>The same call in one session of the legacy era that all connections share; each has an id of its own.</summary>
    public static async Task<LoadTarget> CallInSessionAsync(Uri url, string tool, int bytes)
    {
        // Loopback, and only of what this benchmark itself started.
#pragma warning disable RS0030
        using var client = new HttpClient();
#pragma warning restore RS0030
        using var answer = await PostAsync(Initialize, session: null);
        var session = answer.Headers.TryGetValues("Mcp-Session-Id", out var values) ? values.Single() : null;
        (await PostAsync(Initialized, session)).Dispose();
        return new LoadTarget(url,
            id => Post(url, url.PathAndQuery, LegacyCall(tool, bytes, id + 1), session is null ? "" : $"Mcp-Session-Id: {session}\r\n"));

        async Task<HttpResponseMessage> PostAsync(string body, string? session)
        {
            using var request =
                new HttpRequestMessage(HttpMethod.Post, url) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
            request.Headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");
            request.Headers.TryAddWithoutValidation("Mcp-Session-Id", session);
            return (await client.SendAsync(request)).EnsureSuccessStatusCode();
        }
    }

    /// <summary>The same call in the transport of 2024-11-05, a session for each connection.</summary>
    public static LoadTarget CallOverSse(Uri url, string tool, int bytes) =>
        new(url, id => Encoding.UTF8.GetBytes(LegacyCall(tool, bytes, id + 1)), OverSse: true);

    public static byte[] Post(Uri url, string path, string body, string headers = "") => Encoding.UTF8.GetBytes(
        $"POST {path} HTTP/1.1\r\nHost: {url.Authority}\r\nContent-Type: application/json\r\nAccept: application/json, "
            + $"text/event-stream\r\n{headers}"
        + $"Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}");

    private static byte[] Modern(Uri url, string method, string? name, string? key, string parameters) => Post(
        url,
        url.AbsolutePath,
        $$"""{"jsonrpc":"2.0","id":1,"method":"{{method}}","params":{{{parameters}}{{Meta}} } }""",
        $"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n"
        + (name is null ? "" : $"Mcp-Name: {name}\r\n")
        + (key is null ? "" : $"Authorization: Bearer {key}\r\n"));

    private static string LegacyCall(string tool, int bytes, int id) =>
        $$"""{"jsonrpc":"2.0","id":{{id}},"method":"tools/call","params":{{{Arguments(tool, bytes)}} } }""";

    private static string Arguments(string tool, int bytes) => $$$"""
        "name":"{{{tool}}}","arguments":{"message":"{{{new string('x', bytes)}}}"}
        """.Trim();
}
