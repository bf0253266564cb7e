using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Weir.Tests.Infrastructure;

/// <summary>One answer, as it came.</summary>
internal sealed record RawAnswer(HttpStatusCode Status, HttpResponseHeaders Headers, string Body)
{
    public JsonElement Json => JsonElement.Parse(Body);

    public int ErrorCode => Json.GetProperty("error").GetProperty("code").GetInt32();

    public string ErrorMessage => Json.GetProperty("error").GetProperty("message").GetString()!;
}

/// <summary>Speaks MCP byte by byte, so that a test can be wrong on purpose.</summary>
internal sealed class RawClient(HttpClient http, string path = "/mcp")
{
    private const string Meta =
        "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientInfo\":{\"name\":\"raw\","
            + "\"version\":\"1\"},\"io.modelcontextprotocol/clientCapabilities\":{}}";

    public HttpClient Http => http;

    /// <summary>A modern call that is in order.</summary>
    public Task<RawAnswer> CallAsync(string tool, string arguments = "{}", CancellationToken ct = default) => PostAsync(
        $$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":{{JsonSerializer.Serialize(
            tool)}},"arguments":{{arguments}},{{Meta}} } }""",
        ModernHeaders("tools/call", tool),
        ct);

    public Task<RawAnswer> ModernAsync(string method, string parameters = "") => PostAsync(
        $$"""{"jsonrpc":"2.0","id":1,"method":"{{method}}","params":{ {{parameters}}{{Meta}} } }""", ModernHeaders(method, null));

    public async Task<RawAnswer> PostAsync(
        string body, IEnumerable<(string Name, string Value)>? headers = null, CancellationToken ct = default)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        return await SendAsync(HttpMethod.Post, content, headers, ct);
    }

    public async Task<RawAnswer> SendAsync(
        HttpMethod method, HttpContent? content, IEnumerable<(string Name, string Value)>? headers = null, CancellationToken ct = default)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        var given = headers?.ToArray() ?? [];
        if (!given.Any(h => h.Name == "Accept"))
        {
            request.Headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");
        }

        foreach (var (name, value) in given)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        using var response = await http.SendAsync(request, ct);
        return new RawAnswer(response.StatusCode, response.Headers, await response.Content.ReadAsStringAsync(ct));
    }

    /// <summary>A legacy session; the header to send from now on.</summary>
    public async Task<(string Name, string Value)> InitializeAsync(string version = "2025-11-25")
    {
        var answer = await PostAsync(
            $$"""{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"{{version}}","capabilities":{},"clientInfo":{"name":"raw","version":"1"} } }""");
        answer.Status.ShouldBe(HttpStatusCode.OK, answer.Body);
        return ("Mcp-Session-Id", answer.Headers.GetValues("Mcp-Session-Id").Single());
    }

    public static IEnumerable<(string Name, string Value)> ModernHeaders(string method, string? name)
    {
        yield return ("MCP-Protocol-Version", "2026-07-28");
        yield return ("Mcp-Method", method);
        if (name is not null)
        {
            yield return ("Mcp-Name", name);
        }
    }
}
