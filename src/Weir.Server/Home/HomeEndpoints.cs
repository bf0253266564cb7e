using System.Net.Mime;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using Weir.Configuration;
using Weir.Identity;

namespace Weir.Server.Home;

/// <summary>
/// <c>GET /</c>: what this is and where to go; as HTML where a browser asks. The links of invitations and recoveries lead here, with the
/// token behind the <c>#</c>, which a browser sends to nobody. The page has no script, so the token stays in the address bar: it says what
/// uses it.
/// </summary>
internal static class HomeEndpoints
{
    private const string Description = "A gateway that decides every call of an AI agent to an MCP server.";

    private const string Style = """
        body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
        pre { padding: 0.75rem; background: #f2f2f2; overflow-x: auto; }
        @media (prefers-color-scheme: dark) { body { background: #111; color: #eee; } a { color: #8bf; } pre { background: #222; } }
        """;

    /// <summary>No script, no frame, nothing from elsewhere: the page is text and its own style, named by its hash.</summary>
    private static readonly string Policy =
        $"default-src 'none'; style-src 'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Style)))}'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    public static void MapHome(this IEndpointRouteBuilder routes) =>
        routes.MapMethods("/", [HttpMethods.Get, HttpMethods.Head], AnswerAsync);

    private static Task AnswerAsync(HttpContext http, HttpConfig config, PersonTokens tokens)
    {
        var url = (config.PublicUrl?.ToString() ?? $"{http.Request.Scheme}://{http.Request.Host}").TrimEnd('/');
        http.Response.Headers.Vary = "Accept";
        http.Response.Headers.XContentTypeOptions = "nosniff";
        if (!http.Request.Headers.Accept.ToString().Contains(MediaTypeNames.Text.Html, StringComparison.OrdinalIgnoreCase))
        {
            return http.Response.WriteAsJsonAsync(
                new
                {
                    name = "Weir",
                    description = Description,
                    docs = url + "/docs/",
                    mcp = url + "/mcp",
                    rest = url + "/rest/v1",
                    auth = tokens.IsEmbedded ? url + "/auth/v1" : null,
                },
                http.RequestAborted);
        }

        http.Response.Headers.ContentSecurityPolicy = Policy;
        http.Response.Headers["Referrer-Policy"] = "no-referrer";
        http.Response.ContentType = "text/html; charset=utf-8";
        return http.Response.WriteAsync(Page(HtmlEncoder.Default.Encode(url), tokens.IsEmbedded), http.RequestAborted);
    }

    /// <param name="url">Encoded.</param>
    private static string Page(string url, bool isEmbedded) => $$"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>Weir</title>
        <style>{{Style}}</style>
        </head>
        <body>
        <h1>Weir</h1>
        <p>{{Description}}</p>
        <ul>
        <li><a href="{{url}}/docs/">Documentation</a></li>
        <li>MCP clients connect to <code>{{url}}/mcp</code> with an agent's key.</li>
        <li>Applications use <code>{{url}}</code> as the URL of <code>createClient</code> of supabase-js.</li>
        </ul>
        <h2>If a link led you here</h2>
        <p>The token is what follows <code>#invitation=</code> or <code>#recovery=</code> in this page's address. This page does not read
        the token. The token works once. Give it to your application, or use it yourself in place of <code>TOKEN</code>.</p>
        {{(isEmbedded ? NewAccount(url) : "")}}
        <h3>An invitation, if you have an account here</h3>
        <p>Sign in, and accept it.</p>
        <pre>await weir.rpc('accept_invitation', { token: 'TOKEN' });</pre>
        {{(isEmbedded ? Recovery(url) : "")}}
        </body>
        </html>

        """;

    /// <summary>Only where Weir is the issuer; elsewhere accounts are made where people sign in.</summary>
    private static string NewAccount(string url) => $$"""
        <h3>An invitation, if you have no account here</h3>
        <p>It makes your account, signs you in, and makes you a member. Then set a password.</p>
        <pre>await weir.auth.verifyOtp({ type: 'invite', token_hash: 'TOKEN' });
        await weir.auth.updateUser({ password: 'a new password' });</pre>
        <pre>curl {{url}}/auth/v1/verify -H 'Content-Type: application/json' -d '{"type": "invite", "token_hash": "TOKEN"}'</pre>
        """;

    private static string Recovery(string url) => $$"""
        <h3>A recovery</h3>
        <p>It signs you in once, within 30 minutes of when it was made. Then set a new password, which ends all your other sign-ins within
        an hour.</p>
        <pre>await weir.auth.verifyOtp({ type: 'recovery', token_hash: 'TOKEN' });
        await weir.auth.updateUser({ password: 'a new password' });</pre>
        <pre>curl {{url}}/auth/v1/verify -H 'Content-Type: application/json' -d '{"type": "recovery", "token_hash": "TOKEN"}'
        curl -X PUT {{url}}/auth/v1/user -H 'Authorization: Bearer ACCESS_TOKEN' -H 'Content-Type: application/json' \
          -d '{"password": "a new password"}'</pre>
        """;
}
