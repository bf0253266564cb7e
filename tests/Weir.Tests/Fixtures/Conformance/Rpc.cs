using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Weir.Tests.Fixtures.Conformance;

/// <summary>An error that the caller gets to see, with the HTTP status that goes with it where nothing was streamed yet.</summary>
internal sealed class RpcException(int code, string message, int status = StatusCodes.Status200OK, JsonNode? data = null)
    : Exception(message)
{
    public int Code => code;

    public int Status => status;

    public JsonNode? Detail => data;
}

/// <summary>JSON-RPC's words.</summary>
internal static class Rpc
{
    public const int ParseError = -32700;
    public const int InvalidRequest = -32600;
    public const int MethodNotFound = -32601;
    public const int InvalidParams = -32602;
    public const int ResourceNotFound = -32002;
    public const int HeaderMismatch = -32020;
    public const int MissingCapability = -32021;
    public const int UnsupportedVersion = -32022;

    public const string VersionKey = "io.modelcontextprotocol/protocolVersion";
    public const string CapabilitiesKey = "io.modelcontextprotocol/clientCapabilities";
    public const string LogLevelKey = "io.modelcontextprotocol/logLevel";
    public const string ServerInfoKey = "io.modelcontextprotocol/serverInfo";
    public const string SubscriptionKey = "io.modelcontextprotocol/subscriptionId";

    public static JsonObject Result(JsonNode? id, JsonObject result) =>
        new() { ["jsonrpc"] = "2.0", ["id"] = id?.DeepClone(), ["result"] = result };

    public static JsonObject Notification(string method, JsonObject? parameters)
    {
        var message = new JsonObject { ["jsonrpc"] = "2.0", ["method"] = method };
        if (parameters is not null)
        {
            message["params"] = parameters;
        }

        return message;
    }

    public static JsonObject Request(string id, string method, JsonObject parameters) =>
        new() { ["jsonrpc"] = "2.0", ["id"] = id, ["method"] = method, ["params"] = parameters };

    public static JsonObject Error(JsonNode? id, RpcException error)
    {
        var body = new JsonObject { ["code"] = error.Code, ["message"] = error.Message };
        if (error.Detail is not null)
        {
            body["data"] = error.Detail.DeepClone();
        }

        return new JsonObject { ["jsonrpc"] = "2.0", ["id"] = id?.DeepClone(), ["error"] = body };
    }

    public static JsonObject Object(string json) => JsonNode.Parse(json)!.AsObject();
}

/// <summary>The answer to one POST: a JSON body, unless something had to be said before; then an event stream.</summary>
internal sealed class Reply(HttpContext http)
{
    private bool _streams;

    /// <summary>Begins the stream before there is anything to say.</summary>
    public Task BeginAsync()
    {
        _streams = true;
        BeginStream(http);
        return http.Response.Body.FlushAsync(http.RequestAborted);
    }

    public async Task SendAsync(JsonObject message)
    {
        if (!_streams)
        {
            _streams = true;
            BeginStream(http);
        }

        await http.Response.WriteAsync($"event: message\ndata: {message.ToJsonString()}\n\n", http.RequestAborted);
        await http.Response.Body.FlushAsync(http.RequestAborted);
    }

    public Task FinishAsync(JsonObject message, int status = StatusCodes.Status200OK)
    {
        if (_streams)
        {
            return SendAsync(message);
        }

        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        return http.Response.WriteAsync(message.ToJsonString(), http.RequestAborted);
    }

    public Task FailAsync(JsonNode? id, RpcException error) => FinishAsync(Rpc.Error(id, error), error.Status);

    public static void BeginStream(HttpContext http)
    {
        http.Response.ContentType = "text/event-stream";
        http.Response.Headers.CacheControl = "no-cache";
    }
}
