using Weir.Errors;
using Weir.Gateway.Endpoint;
using Weir.Gateway.Http;
using Weir.Identity;
using Weir.Server.Http;

namespace Weir.Server.Mcp;

/// <summary>
/// <c>/mcp</c> and <c>/mcp/{instance}</c> with an agent's key, <c>/mcp/agents/{agent}</c> and <c>/mcp/agents/{agent}/{instance}</c> with a
/// person's token.
/// </summary>
internal static class McpEndpoints
{
    public static void MapMcp(this IEndpointRouteBuilder routes)
    {
        routes.Map("/mcp", (HttpContext http, McpHandler handler) => RouteAsync(http, handler, Aggregate(http, "/mcp"), instance: null));
        routes.Map("/mcp/{instance:maxlength(20)}", (HttpContext http, McpHandler handler, string instance) =>
            RouteAsync(http, handler, "/mcp/" + instance, instance));
        routes.Map("/mcp/agents/{agent:guid}", (HttpContext http, McpHandler handler, PersonTokens tokens, Guid agent) =>
            RouteAsync(http, handler, tokens, Aggregate(http, $"/mcp/agents/{agent}"), agent, instance: null));
        routes.Map("/mcp/agents/{agent:guid}/{instance:maxlength(20)}",
            (HttpContext http, McpHandler handler, PersonTokens tokens, Guid agent, string instance) =>
                RouteAsync(http, handler, tokens, $"/mcp/agents/{agent}/{instance}", agent, instance));

        // A client that probes for an authorization server must not take a page for one.
        foreach (var path in (string[])["/.well-known/{**rest}", "/register", "/authorize", "/token"])
        {
            routes.Map(path, static (HttpContext http) => JsonErrors.WriteAsync(
                http, StatusCodes.Status404NotFound, ErrorCode.NotFound.Sqlstate(),
                "There is no OAuth here: send an agent's key as a bearer token.", hint: null));
        }
    }

    private static bool WantsSearch(HttpContext http) => http.Request.Query["tools"] == "search";

    /// <summary>What a session is bound to: the two views of an endpoint are two endpoints.</summary>
    private static string Aggregate(HttpContext http, string path) => WantsSearch(http) ? path + "?tools=search" : path;

    private static Task RouteAsync(HttpContext http, McpHandler handler, string path, string? instance)
    {
        var token = Bearer.Of(http.Request);
        if (token is not null && AgentKey.Parse(token) is { } key)
        {
            return RunAsync(http, handler, new McpScope(path, Principal.OfKey(key), instance, instance is null && WantsSearch(http)));
        }

        if (token is not null && OrganizationKey.Parse(token) is not null)
        {
            return Errors(http).FailAsync(http, OrganizationKey.Misplaced());
        }

        return UnauthenticatedAsync(http, token switch
        {
            null => "An agent's key is missing: Authorization: Bearer weir_…",
            _ when token.StartsWith(AgentKey.Prefix, StringComparison.Ordinal) => KeyText.Refused,
            _ => "This is not an agent's key.",
        });
    }

    /// <summary>A person, who uses an agent.</summary>
    private static async Task RouteAsync(
        HttpContext http, McpHandler handler, PersonTokens tokens, string path, Guid agent, string? instance)
    {
        if (await PersonAsync(http, tokens) is { } user)
        {
            await RunAsync(
                http, handler, new McpScope(path, Principal.OfPerson(user, agent), instance, instance is null && WantsSearch(http)));
        }
    }

    /// <summary>The person behind the token; null after the request was refused.</summary>
    private static async Task<Guid?> PersonAsync(HttpContext http, PersonTokens tokens)
    {
        if (Bearer.Of(http.Request) is not { } token)
        {
            await UnauthenticatedAsync(http, "A person's token is missing: Authorization: Bearer …");
            return null;
        }

        try
        {
            return await tokens.VerifyAsync(token, http.RequestAborted);
        }
        catch (WeirException e)
        {
            await (e.Code == ErrorCode.Unauthenticated ? UnauthenticatedAsync(http, e.Message) : Errors(http).FailAsync(http, e));
            return null;
        }
    }

    private static Task RunAsync(HttpContext http, McpHandler handler, McpScope scope)
    {
        if (HttpMethods.IsPost(http.Request.Method))
        {
            return handler.PostAsync(http, scope);
        }

        if (HttpMethods.IsGet(http.Request.Method))
        {
            return handler.GetAsync(http, scope);
        }

        if (HttpMethods.IsDelete(http.Request.Method))
        {
            return handler.DeleteAsync(http, scope);
        }

        http.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
        http.Response.Headers.Allow = "POST, GET, DELETE";
        return Task.CompletedTask;
    }

    private static Task UnauthenticatedAsync(HttpContext http, string message) => Errors(http).UnauthenticatedAsync(http, message);

    private static McpErrors Errors(HttpContext http) => http.RequestServices.GetRequiredService<McpErrors>();
}
