using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using Weir.Errors;
using Weir.Server.Http;

namespace Weir.Server.Docs;

/// <summary>Apart from <see cref="UnknownBodies"/>: readers take no place from those who sign in.</summary>
internal sealed class DocsConcurrencyLimit
{
    private readonly UnauthenticatedRequestLimiter _permits =
        new(UnknownBodies.MostOfOneAddress, UnknownBodies.MostOfOneSite, UnknownBodies.Most);

    /// <exception cref="WeirException">WR008: too many are open already.</exception>
    public void Enter(HttpContext http) => _permits.Enter(http);
}

/// <summary><c>/docs/</c>: the documentation of this release, for anybody. Errors point there.</summary>
internal static class DocsEndpoints
{
    /// <summary>No script, no frame, nothing from elsewhere: the pages are text and one style sheet.</summary>
    private const string Policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    /// <summary>The addresses outlive a release and the bytes do not, so a copy is asked about again after a while.</summary>
    private const string Caching = "public, max-age=300";

    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    public static void MapDocs(this IEndpointRouteBuilder routes) => routes.MapMethods("/docs/{**path}", Methods, AnswerAsync);

    private static async Task AnswerAsync(HttpContext http, DocsConcurrencyLimit limit, DocsPages pages, string? path)
    {
        limit.Enter(http);
        if (http.Request.Path == "/docs")
        {
            // The pages' relative links lead below the slash.
            http.Response.Redirect("docs/");
            return;
        }

        if (pages.Find(path ?? "") is not { } file)
        {
            throw new WeirException(ErrorCode.NotFound, "There is no such page.", "/docs/ has the list of all pages.");
        }

        var headers = http.Response.Headers;
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers.CacheControl = Caching;
        headers.ETag = file.Tag;
        if (Has(http.Request.Headers.IfNoneMatch, file.Tag))
        {
            http.Response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        http.Response.ContentType = file.ContentType;
        http.Response.ContentLength = file.Body.Length;
        if (HttpMethods.IsGet(http.Request.Method))
        {
            await LargeBody.WriteAsync(http, file.Body);
        }
    }

    /// <summary>A tag of the client's is weak or strong, or stands for any.</summary>
    private static bool Has(StringValues sent, string tag) => EntityTagHeaderValue.TryParseList(sent, out var tags)
        && tags.Any(t => t.Equals(EntityTagHeaderValue.Any) || t.Tag == tag);
}
