using System.Buffers;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Weir.Bench;

/// <summary>
/// The ceiling: an MCP server of both eras that does as little as a server can, on bare Kestrel. <c>/mcp</c> has one tool, an echo; below
/// <c>/many/</c>, <c>/hang/</c> and <c>/fail/</c> are servers with twenty; after a POST to <c>/stop</c> what asks <c>/hang/</c> waits
/// forever, and <c>/fail/</c> is an error.
/// </summary>
internal static class BareUpstream
{
    private static readonly byte[] ManyTools = Encoding.UTF8.GetBytes(string.Join(',', Enumerable.Range(0, 20).Select(n =>
        $$$"""{"name":"tool_{{{n}}}","description":"Looks something up, as number {{{n}}} of twenty tools does, and answers it as """
            + $$$"""text.","inputSchema":{"type":"object","properties":{"query":{"type":"string","description":"What to look """
            + $$$"""for."},"limit":{"type":"integer","minimum":1,"maximum":100},"path":{"type":"string","description":"Where to """
            + $$$"""look."}},"required":["query"]}}""")));

    private static volatile bool _isStopped;

    public static async Task<int> RunAsync(int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.Logging.ClearProviders();
        await using var app = builder.Build();
        app.Run(AnswerAsync);
        await app.RunAsync();
        return 0;
    }

    private static async Task AnswerAsync(HttpContext http)
    {
        var read = await http.Request.BodyReader.ReadAsync();
        while (!read.IsCompleted)
        {
            http.Request.BodyReader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            read = await http.Request.BodyReader.ReadAsync();
        }

        var path = http.Request.Path.Value ?? "";
        _isStopped |= path == "/stop";
        if (_isStopped && path.StartsWith("/hang/", StringComparison.Ordinal))
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, http.RequestAborted)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return;
        }

        if (_isStopped && path.StartsWith("/fail/", StringComparison.Ordinal))
        {
            http.Response.StatusCode = StatusCodes.Status500InternalServerError;
            return;
        }

        var answer = path == "/stop" || HttpMethods.IsGet(http.Request.Method)
            ? default : Answer(read.Buffer.ToArray(), hasMany: path != "/mcp");
        http.Request.BodyReader.AdvanceTo(read.Buffer.End);
        if (answer.IsEmpty)
        {
            http.Response.StatusCode =
                HttpMethods.IsGet(http.Request.Method) ? StatusCodes.Status405MethodNotAllowed : StatusCodes.Status202Accepted;
            return;
        }

        http.Response.ContentType = "application/json";
        http.Response.ContentLength = answer.Length;
        await http.Response.BodyWriter.WriteAsync(answer);
    }

    /// <summary>Empty for a notification.</summary>
    private static ReadOnlyMemory<byte> Answer(byte[] body, bool hasMany)
    {
        var reader = new Utf8JsonReader(body);
        ReadOnlySpan<byte> id = default;
        ReadOnlySpan<byte> message = "\"\""u8;
        var method = "";
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName)
            {
                continue;
            }

            var (isId, isMethod, isMessage) =
                (reader.CurrentDepth == 1 && reader.ValueTextEquals("id"u8), reader.CurrentDepth == 1 && reader.ValueTextEquals("method"u8),
                reader.ValueTextEquals("message"u8));
            reader.Read();
            var value = body.AsSpan((int)reader.TokenStartIndex, (int)(reader.BytesConsumed - reader.TokenStartIndex));
            id = isId ? value : id;
            method = isMethod ? reader.GetString()! : method;
            message = isMessage ? value : message;
        }

        return id.IsEmpty ? default : Write(id, method, message, hasMany);
    }

    private static ReadOnlyMemory<byte> Write(ReadOnlySpan<byte> id, string method, ReadOnlySpan<byte> message, bool hasMany)
    {
        var output = new ArrayBufferWriter<byte>(message.Length + 512);
        output.Write("{\"jsonrpc\":\"2.0\",\"id\":"u8);
        output.Write(id);
        switch (method)
        {
            case "initialize":
                output.Write(
                    ",\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"bare\","u8
                        + "\"version\":\"1\"}}}"u8);
                break;
            case "server/discover":
                output.Write(
                    ",\"result\":{\"resultType\":\"complete\",\"ttlMs\":300000,\"cacheScope\":\"private\","u8
                        + "\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{}}}}"u8);
                break;
            case "tools/list":
                output.Write(",\"result\":{\"resultType\":\"complete\",\"ttlMs\":300000,\"cacheScope\":\"private\",\"tools\":["u8);
                output.Write(hasMany ? ManyTools : "{\"name\":\"echo\",\"inputSchema\":{\"type\":\"object\"}}"u8);
                output.Write("]}}"u8);
                break;
            case "resources/read":
                output.Write(
                    ",\"result\":{\"resultType\":\"complete\",\"contents\":[{\"uri\":\"bench:///a\",\"text\":\"What a handbook says of a "u8
                        + "hundred words or so is said here in ten.\"}]}}"u8);
                break;
            default:
                output.Write(",\"result\":{\"resultType\":\"complete\",\"content\":[{\"type\":\"text\",\"text\":"u8);
                output.Write(message);
                output.Write("}]}}"u8);
                break;
        }

        return output.WrittenMemory;
    }
}
