using Weir.NodeAgent.Servers;
using Weir.Nodes;

namespace Weir.NodeAgent.Http;

/// <summary>Every failure of the API has one form: <c>{"error": {"code", "message"}}</c>.</summary>
internal static class ApiErrors
{
    public static Task WriteAsync(HttpContext http, int status, string code, string message)
    {
        http.Response.StatusCode = status;
        return http.Response.WriteAsJsonAsync(new NodeErrorBody(new NodeError(code, message)), NodeJson.Default.NodeErrorBody);
    }

    /// <summary>Maps what endpoints throw. What is not foreseen is logged and not told.</summary>
    public static async Task GuardAsync(HttpContext http, RequestDelegate next, ILogger log)
    {
        try
        {
            await next(http);
        }
        catch (NodeException e) when (!http.Response.HasStarted)
        {
            await WriteAsync(http, e.Status, e.Code, e.Message);
        }
        catch (BadHttpRequestException e) when (!http.Response.HasStarted)
        {
            await WriteAsync(http, e.StatusCode, NodeErrors.InvalidArgument, e.Message);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException && http.RequestAborted.IsCancellationRequested)
        {
            // Nobody is there to be told.
        }
        catch (Exception e) when (!http.Response.HasStarted)
        {
            log.LogError(e, "{Method} {Path} failed.", http.Request.Method, http.Request.Path);
            await WriteAsync(http, 500, NodeErrors.Internal, "The node failed; its log says why.");
        }
    }
}
