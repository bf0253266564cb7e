using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Weir.Audit;
using Weir.Errors;
using Weir.Gateway.Calls;
using Weir.Http;
using Weir.Mcp;
using Weir.Postgres;
using Weir.Upstream;

namespace Weir.Gateway.Http;

/// <summary>What an MCP endpoint says when it does not do what was asked: a JSON-RPC error, whatever the HTTP status.</summary>
internal sealed class McpErrors(SecurityEvents securityEvents, DocsLinks docs, ILogger<McpErrors> logger)
{
    /// <summary>A refusal of the protocol itself.</summary>
    public static Task RefuseAsync(HttpContext http, Refusal refusal, byte[]? id) => WriteAsync(
        http,
        refusal.Status,
        id ?? [],
        refusal.Code,
        refusal.Message,
        refusal.SupportedVersions
            ? json =>
            {
                json.WriteStartObject();
                json.WriteStartArray("supported"u8);
                json.WriteStringValue(Protocol.Modern);
                json.WriteEndArray();
                json.WriteString("requested"u8, refusal.RequestedVersion);
                json.WriteEndObject();
            }
            : null);

    /// <summary>A call that was forwarded and failed on the way; in its stream, if that has begun.</summary>
    public static async Task FailCallAsync(McpRequest request, HttpCallResponder responder, CallFailedException e)
    {
        var mayHaveRun = e.MayHaveArrived && request.Message.Method == Methods.ToolsCall;
        var hint = e.Code.IsRetryable(mayHaveRun) ? "Retry later."
            : e.Code.IsRetryable() ? "The tool may have run: look at what it did before you call it again."
            : null;
        if (e.RetryAfter is { } wait && !responder.HasStarted)
        {
            request.Http.Response.Headers.RetryAfter = RetryAfterHeader.Seconds(wait).ToString(CultureInfo.InvariantCulture);
        }

        await FailAsync(
            request.Http, request.Id, 200, RpcCodes.WeirBase + (int)e.Code, e.Message,
            Data(e.Code, hint, mayHaveRun, e.Cause, e.RetryAfter), responder);
    }

    /// <summary>No credential, or one that cannot be anybody's.</summary>
    public Task UnauthenticatedAsync(HttpContext http, string message)
    {
        securityEvents.Count("no_key", keyId: null, http.Connection.RemoteIpAddress);
        http.Response.Headers.WWWAuthenticate = "Bearer";
        return FailAsync(http, id: [], isCall: false, new WeirException(ErrorCode.Unauthenticated, message));
    }

    /// <summary>Of a replica that has not begun to serve, and has read nothing of the request.</summary>
    public static Task NotReadyAsync(HttpContext http, string message, string hint) => WriteAsync(
        http, 503, id: [], RpcCodes.WeirBase + (int)ErrorCode.Unavailable, message, Data(ErrorCode.Unavailable, hint, mayHaveActed: false));

    /// <summary>Before a message was read.</summary>
    public Task FailAsync(HttpContext http, WeirException e) => FailAsync(http, id: [], isCall: false, e);

    /// <param name="responder">Of a call that waited; where it has begun a stream, the error is the stream's last event.</param>
    public Task FailAsync(McpRequest request, WeirException e, HttpCallResponder? responder = null)
    {
        if (e.Code == ErrorCode.Unauthenticated)
        {
            securityEvents.Count("key_refused", request.Scope.Principal.Key?.Id, request.Http.Connection.RemoteIpAddress);
            if (!request.Http.Response.HasStarted)
            {
                request.Http.Response.Headers.WWWAuthenticate = "Bearer error=\"invalid_token\"";
            }
        }

        return FailAsync(request.Http, request.Id,
            request.Message.Method is Methods.ToolsCall or Methods.PromptsGet or Methods.ResourcesRead
                or Methods.Complete or Methods.Subscribe, e, responder, e.MayHaveActed && request.Message.Method == Methods.ToolsCall);
    }

    private async Task FailAsync(
        HttpContext http, byte[] id, bool isCall, WeirException e, HttpCallResponder? responder = null, bool mayHaveActed = false)
    {
        if (DatabaseErrors.IsForTheLog(e))
        {
            logger.LogError(e, "A request failed.");
        }

        var (status, code) = e.Code switch
        {
            ErrorCode.Unauthenticated => (401, RpcCodes.WeirBase + (int)e.Code),
            ErrorCode.Unavailable => (503, RpcCodes.WeirBase + (int)e.Code),
            ErrorCode.NotFound => (isCall ? 200 : 404, RpcCodes.InvalidParams),
            ErrorCode.Internal => (500, RpcCodes.InternalError),
            _ => (200, RpcCodes.WeirBase + (int)e.Code),
        };
        if (status == 503 && !http.Response.HasStarted)
        {
            http.Response.Headers.RetryAfter = "1";
        }

        await FailAsync(http, id, status, code, e.Message,
            e.Code == ErrorCode.NotFound ? null : Data(e.Code, docs.Hint(e.Hint, e.Page), mayHaveActed), responder);
    }

    private static async Task FailAsync(
        HttpContext http, byte[] id, int status, int code, string message, Action<Utf8JsonWriter>? data, HttpCallResponder? responder)
    {
        if (responder is { HasStarted: true })
        {
            await responder.FailAsync(code, message, data, http.RequestAborted);
        }
        else
        {
            await WriteAsync(http, status, id, code, message, data);
        }
    }

    /// <param name="cause">Why a server did not answer; null where it is none's fault.</param>
    private static Action<Utf8JsonWriter> Data(
        ErrorCode code, string? hint, bool mayHaveActed, FailureCause? cause = null, TimeSpan? retryAfter = null) => json =>
    {
        json.WriteStartObject();
        json.WriteString("weir"u8, code.Sqlstate());
        json.WriteBoolean("retryable"u8, code.IsRetryable(mayHaveActed));
        if (hint is not null)
        {
            json.WriteString("hint"u8, hint);
        }

        if (cause is { } why)
        {
            json.WriteString("cause"u8, why.Name());
        }

        if (retryAfter is { } wait)
        {
            json.WriteNumber("retryAfterSeconds"u8, RetryAfterHeader.Seconds(wait));
        }

        json.WriteEndObject();
    };

    private static async Task WriteAsync(HttpContext http, int status, byte[] id, int code, string message, Action<Utf8JsonWriter>? data)
    {
        if (http.Response.HasStarted)
        {
            // A stream that another replica had begun to answer, and does not go on with: the error is its last event.
            EventStream.WriteMessage(http.Response.BodyWriter, output => RpcWriter.WriteError(output, id, code, message, data));
            await http.Response.BodyWriter.FlushAsync();
            return;
        }

        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        RpcWriter.WriteError(http.Response.BodyWriter, id, code, message, data);
        await http.Response.BodyWriter.FlushAsync();
    }
}
