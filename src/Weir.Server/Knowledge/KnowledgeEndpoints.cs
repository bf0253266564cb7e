using System.Text.Json;
using Weir.Configuration;
using Weir.Errors;
using Weir.Identity;
using Weir.Knowledge;
using Weir.Limits;
using Weir.Server.Http;

namespace Weir.Server.Knowledge;

/// <summary>
/// <c>POST /functions/v1/documents</c> and <c>/functions/v1/documents/search</c>, with a person's token; what
/// <c>supabase.functions.invoke('documents', …)</c>
/// calls. Everything else about documents is a published function or table.
/// </summary>
internal static class KnowledgeEndpoints
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Encoder = PlainJson.Encoder };

    public static void MapKnowledge(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/functions/v1/documents", IngestAsync);
        routes.MapPost("/functions/v1/documents/search", SearchAsync);
    }

    private static async Task IngestAsync(
        HttpContext http, PersonTokens tokens, Documents documents, DocumentLimits limits, KnowledgeConfig config)
    {
        var user = await PersonAsync(http, tokens);
        using var open = limits.Enter(user);
        var request = DocumentRequest.Parse(await BodyAsync(http, user, config.MaxDocumentBytes));
        await http.Response.WriteAsJsonAsync(await documents.IngestAsync(user, request, http.RequestAborted), Json, http.RequestAborted);
    }

    private static async Task SearchAsync(HttpContext http, PersonTokens tokens, KnowledgeSearch search, DocumentLimits limits)
    {
        var user = await PersonAsync(http, tokens);
        using var open = limits.Enter(user);
        var request = SearchRequest.Parse(await BodyAsync(http, user, BodyLimits.Search));
        var answer = await search.FindAsync(Principal.OfPerson(user, request.AgentId), request.Query, request.Limit, http.RequestAborted);
        await http.Response.WriteAsJsonAsync(answer, Json, http.RequestAborted);
    }

    private static async Task<ReadOnlyMemory<byte>> BodyAsync(HttpContext http, Guid user, int maxBytes) =>
        await http.RequestServices.GetRequiredService<CallerBytes>()
            .ReadBodyAsync(http.Request, maxBytes, Principal.CallerOf(user), http.RequestAborted)
            ?? throw new WeirException(ErrorCode.TooLarge, $"The body is larger than {maxBytes} bytes.");

    private static async Task<Guid> PersonAsync(HttpContext http, PersonTokens tokens)
    {
        var token = Bearer.Of(http.Request)
            ?? throw new WeirException(ErrorCode.Unauthenticated, "A person's token is missing: Authorization: Bearer …");
        return AgentKey.Parse(token) is null
            ? await tokens.VerifyAsync(token, http.RequestAborted)
            : throw new WeirException(
                ErrorCode.Unauthenticated, "This is an agent's key. Documents are for people.", "Sign in, and send the access token.");
    }
}
