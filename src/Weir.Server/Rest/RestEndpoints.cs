using Weir.Audit;
using Weir.Configuration;
using Weir.Errors;
using Weir.Identity;
using Weir.Limits;
using Weir.Rest;
using Weir.Server.Http;

namespace Weir.Server.Rest;

/// <summary><c>/rest/v1</c>: what supabase-js reads with <c>.from()</c> and calls with <c>.rpc()</c>; and what it finds refused.</summary>
internal static class RestEndpoints
{
    public static void MapRest(this IEndpointRouteBuilder routes)
    {
        routes.Map("/rest/v1/rpc/{function}", Answered(CallAsync));
        routes.Map("/rest/v1/{table}", Answered(ReadAsync));
        routes.Map("/rest/v1", Answered(static _ => throw RestErrors.Root()));
        routes.Map("/rest/v1/{table}/{next}/{**rest}", Answered(static _ => throw RestErrors.Path()));
        routes.Map("/realtime/v1/{**path}", Answered(static _ => throw RestErrors.Service("realtime")));
        routes.Map("/storage/v1/{**path}", Answered(static _ => throw RestErrors.Service("storage")));
    }

    private static async Task ReadAsync(HttpContext http)
    {
        if (!IsRead(http.Request))
        {
            throw RestErrors.Method(http.Request.Method);
        }

        var call = await BindAsync(http);
        await WriteAsync(http, call, await Api(http).ReadAsync(Name(http, "table"), call, http.RequestAborted));
    }

    private static async Task CallAsync(HttpContext http)
    {
        if (!IsRead(http.Request) && !HttpMethods.IsPost(http.Request.Method))
        {
            throw RestErrors.RpcMethod(http.Request.Method);
        }

        var call = await BindAsync(http);
        var body = IsRead(http.Request) ? default(ReadOnlyMemory<byte>?) : await BodyAsync(http, call);
        try
        {
            await WriteAsync(http, call, await Api(http).CallAsync(Name(http, "function"), body, call, http.RequestAborted));
        }
        catch (RestException e) when (call.Key is { } key && e.Status == StatusCodes.Status401Unauthorized)
        {
            http.RequestServices.GetRequiredService<SecurityEvents>().Count("key_refused", key.Id, http.Connection.RemoteIpAddress);
            throw;
        }
    }

    private static async Task<RestCall> BindAsync(HttpContext http)
    {
        RestHeaders.RefuseOtherProfiles(http.Request);
        var format = RestHeaders.Format(http.Request);
        var count = RestHeaders.Count(http.Request);
        var range = http.Request.Headers["Range-Unit"].ToString() is "" or "items" ? http.Request.Headers.Range.ToString() : "";
        var key = Bearer.Of(http.Request) is { } token ? OrganizationKey.Parse(token) : null;
        var person = key is null ? await PersonAsync(http) : null;
        return new RestCall(
            person?.UserId, RestHeaders.Query(http.Request), range.Length == 0 ? null : range, format, count, IsRead(http.Request),
            key, ClientAddress.Network(http).ToString(), person?.SignIn);
    }

    /// <summary>
    /// The person behind the token; null for the anon key, and where there is no token. The <c>apikey</c> header says which application
    /// calls, and gives nothing; it is not looked at.
    /// </summary>
    private static async Task<ReadToken?> PersonAsync(HttpContext http)
    {
        if (http.Request.Headers.Authorization.Count == 0)
        {
            return null;
        }

        var token = Bearer.Of(http.Request) ?? throw RestErrors.InvalidToken();
        var read = await http.RequestServices.GetRequiredService<PersonTokens>().ReadAsync(token, http.RequestAborted);
        return read.Kind switch
        {
            TokenKind.Person => read,
            TokenKind.Anon => null,
            TokenKind.ServiceRole => throw RestErrors.ServiceRole(),
            TokenKind.Expired => throw RestErrors.ExpiredToken(),
            _ when token.StartsWith(AgentKey.Prefix, StringComparison.Ordinal) => throw RestErrors.InvalidKey(),
            _ => throw RestErrors.InvalidToken(),
        };
    }

    /// <summary>
    /// Of a person, whose token was verified above, up to the limit of a body. Nobody else is known before the statement runs, or at all: a
    /// small part is read of what they send, which is more than a key's functions take.
    /// </summary>
    private static async Task<ReadOnlyMemory<byte>> BodyAsync(HttpContext http, RestCall call)
    {
        if (http.Request.ContentType is { Length: > 0 } type && !type.StartsWith("application/json", StringComparison.OrdinalIgnoreCase))
        {
            throw RestErrors.Body("Content-Type not acceptable: only application/json is.");
        }

        var most = http.RequestServices.GetRequiredService<WeirConfig>().Mcp.MaxBodyBytes;
        var (limit, body) = call.UserId is not null
            ? (most, await Held(http).ReadBodyAsync(http.Request, most, call.Holder, http.RequestAborted))
            : (BodyLimits.Unknown, await http.RequestServices.GetRequiredService<UnknownBodies>().ReadAsync(http, BodyLimits.Unknown));
        return body ?? throw new WeirException(ErrorCode.TooLarge, $"The body is larger than {limit} bytes.",
            call.UserId is null ? "With a person's token more is read." : null);
    }

    /// <summary>The answer counts as its caller's until they have read it.</summary>
    private static async Task WriteAsync(HttpContext http, RestCall call, RestAnswer answer)
    {
        using var account = Held(http).Open(call.Holder);
        if (answer.Body is { Length: > CallerBytes.Uncounted } large)
        {
            account.Take(large.Length);
        }

        var response = http.Response;
        response.StatusCode = answer.Status;
        response.Headers.ContentRange = answer.ContentRange;
        response.Headers["Content-Profile"] = "public";
        response.Headers.CacheControl = "no-store";
        if (call.Count)
        {
            response.Headers["Preference-Applied"] = "count=exact";
        }

        if (answer.Body is not { } body || answer.Status == StatusCodes.Status204NoContent)
        {
            return;
        }


        response.ContentType = RestHeaders.ContentType(call.Format);
        response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(http.Request.Method))
        {
            await LargeBody.WriteAsync(http, body);
        }
    }

    private static CallerBytes Held(HttpContext http) => http.RequestServices.GetRequiredService<CallerBytes>();

    /// <summary>Refusals in PostgREST's body; anything else is answered as everywhere.</summary>
    private static RequestDelegate Answered(RequestDelegate handler) => async http =>
    {
        try
        {
            await handler(http);
        }
        catch (RestException e) when (!http.Response.HasStarted)
        {
            if (e.Status == StatusCodes.Status401Unauthorized)
            {
                http.Response.Headers.WWWAuthenticate = e.Code is "PGRST301" or "PGRST303"
                    ? $"Bearer error=\"invalid_token\", error_description=\"{e.Message}\""
                    : "Bearer";
            }

            if (e.IsRetryable)
            {
                http.Response.Headers.RetryAfter = "1";
            }

            http.Response.StatusCode = e.Status;
            await http.Response.WriteAsJsonAsync(
                new ErrorBody(e.Code, e.Message, e.Details, JsonErrors.HintOf(http, e.Hint, e.Page)), http.RequestAborted);
        }
    };

    private static bool IsRead(HttpRequest request) => HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method);

    private static RestApi Api(HttpContext http) => http.RequestServices.GetRequiredService<RestApi>();

    private static string Name(HttpContext http, string parameter) => (string)http.Request.RouteValues[parameter]!;
}
