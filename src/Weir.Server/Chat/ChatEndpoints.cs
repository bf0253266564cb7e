using Weir.Chat;
using Weir.Errors;
using Weir.Http;
using Weir.Identity;
using Weir.Limits;
using Weir.Server.Http;

namespace Weir.Server.Chat;

/// <summary><c>POST /functions/v1/chat</c>, with a person's token; what <c>supabase.functions.invoke('chat', …)</c> calls.</summary>
internal static class ChatEndpoints
{
    public static void MapChat(this IEndpointRouteBuilder routes) => routes.MapPost("/functions/v1/chat", AnswerAsync);

    private static async Task AnswerAsync(HttpContext http, PersonTokens tokens, ChatTurns turns, CallerBytes held, TimeProvider time)
    {
        var user = await PersonAsync(http, tokens);
        var body = await held.ReadBodyAsync(http.Request, BodyLimits.Chat, Principal.CallerOf(user), http.RequestAborted)
            ?? throw new WeirException(ErrorCode.TooLarge, $"The body is larger than {BodyLimits.Chat} bytes.");
        var turn = await turns.OpenAsync(user, ChatRequest.Parse(body), http.RequestAborted);
        if (WantsEvents(http.Request))
        {
            await ChatEventStream.RunAsync(http, time, tell => turns.AnswerAsync(turn with { WantsDeltas = true }, tell));
            return;
        }

        var answer = await turns.AnswerAsync(turn, static _ => ValueTask.CompletedTask);
        await http.Response.WriteAsJsonAsync(answer, ChatAnswer.Json, http.RequestAborted);
    }

    private static async Task<Guid> PersonAsync(HttpContext http, PersonTokens tokens)
    {
        var token = Bearer.Of(http.Request)
            ?? throw new WeirException(ErrorCode.Unauthenticated, "A person's token is missing: Authorization: Bearer …");
        return AgentKey.Parse(token) is null
            ? await tokens.VerifyAsync(token, http.RequestAborted)
            : throw new WeirException(
                ErrorCode.Unauthenticated, "This is an agent's key. Chat is for people.", "Sign in, and send the access token.");
    }

    /// <summary>A stream for who names it and does not rather have JSON, or who accepts no JSON.</summary>
    private static bool WantsEvents(HttpRequest request)
    {
        var (events, json) = (AcceptHeader.Weight(request, EventStream.ContentType), AcceptHeader.Weight(request, AcceptHeader.Json));
        return events > 0 && (json == 0 || (events >= json && AcceptHeader.Names(request, EventStream.ContentType)));
    }
}
