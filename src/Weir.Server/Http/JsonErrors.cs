using System.Globalization;
using Weir.Errors;
using Weir.Postgres;

namespace Weir.Server.Http;

/// <summary>The error body of everything that is not JSON-RPC: PostgREST's, which supabase-js reads.</summary>
/// <param name="Code">The <c>WR</c> code.</param>
internal sealed record ErrorBody(string Code, string Message, string? Details, string? Hint);

internal static class JsonErrors
{
    public static Task WriteAsync(HttpContext http, int status, string code, string message, string? hint)
    {
        http.Response.StatusCode = status;
        return http.Response.WriteAsJsonAsync(new ErrorBody(code, message, Details: null, hint), http.RequestAborted);
    }

    public static Task WriteAsync(HttpContext http, WeirException e)
    {
        if (e.Code == ErrorCode.Unauthenticated)
        {
            http.Response.Headers.WWWAuthenticate = "Bearer";
        }

        if (e.Code.IsRetryable())
        {
            http.Response.Headers.RetryAfter =
                Math.Max(1, Math.Ceiling(e.RetryAfter?.TotalSeconds ?? 1)).ToString(CultureInfo.InvariantCulture);
        }

        return WriteAsync(http, e.Code.HttpStatus(), e.Code.Sqlstate(), e.Message, HintOf(http, e.Hint, e.Page));
    }

    /// <summary>The hint with the address of the page that says more.</summary>
    public static string? HintOf(HttpContext http, string? hint, string? page) =>
        http.RequestServices.GetRequiredService<DocsLinks>().Hint(hint, page);
}

/// <summary>
/// The last resort of every request: a typed error as its body, anything else as an internal one whose text stays in the log.
/// </summary>
internal sealed class ErrorResponses(RequestDelegate next, ILogger<ErrorResponses> logger)
{
    public async Task InvokeAsync(HttpContext http)
    {
        try
        {
            await next(http);
        }
        catch (WeirException e) when (!http.Response.HasStarted)
        {
            if (DatabaseErrors.IsForTheLog(e))
            {
                // The answer says that the log says what; and who runs the database has to act.
                logger.LogError(e, "A request failed: {Method} {Path}", http.Request.Method, http.Request.Path);
            }

            await JsonErrors.WriteAsync(http, e);
        }
        catch (BadHttpRequestException e) when (!http.Response.HasStarted)
        {
            await JsonErrors.WriteAsync(http, e.StatusCode, ErrorCode.InvalidArgument.Sqlstate(),
                "The request is not valid HTTP, or its body not what it should be.", hint: null);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException && http.RequestAborted.IsCancellationRequested)
        {
            // Nobody is there to answer.
        }
        catch (Exception e) when (!http.Response.HasStarted)
        {
            logger.LogError(e, "A request failed: {Method} {Path}", http.Request.Method, http.Request.Path);
            await JsonErrors.WriteAsync(http, StatusCodes.Status500InternalServerError, ErrorCode.Internal.Sqlstate(),
                "Something went wrong in Weir; its log says what.", hint: null);
        }
    }
}
