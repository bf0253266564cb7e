using System.Text.Json;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Catalog;

/// <summary>The whole of one of a server's lists.</summary>
/// <param name="Ttl">How long the server says that it is good, of its pages the shortest; null: it says nothing.</param>
internal sealed record ServerList(IReadOnlyList<JsonElement> Items, TimeSpan? Ttl);

/// <summary>Asks a server for the whole of one of its lists, page by page.</summary>
internal sealed class ServerLists(UpstreamClient client)
{
    /// <summary>A server that never ends its list is cut off here.</summary>
    private const int MaxPages = 100;
    private const int MaxItems = 5000;
    private const int MaxCharacters = 16 * 1024 * 1024;

    /// <summary>As deep as any message of a server is read.</summary>
    private const int MaxDepth = 128;

    /// <exception cref="UpstreamException">The server refused, broke the protocol, or announced more than 5,000 items, 100 pages or 16 MiB.</exception>
    public async Task<ServerList> ListAsync(UpstreamSession session, ListedKind kind, CancellationToken ct)
    {
        var items = new List<JsonElement>();
        TimeSpan? ttl = null;
        string? cursor = null;
        var characters = 0L;
        for (var page = 0; page < MaxPages; page++)
        {
            if (await AskAsync(session, kind, cursor, ct) is not { } result)
            {
                return new ServerList([], ttl);
            }

            if (result.ValueKind != JsonValueKind.Object || !result.TryGetProperty(kind.Member, out var list) || list.ValueKind != JsonValueKind.Array)
            {
                throw new UpstreamException(UpstreamFailure.Nonsense, $"The server's answer to {kind.Method} holds no {kind.Member}.");
            }

            items.AddRange(list.EnumerateArray());
            characters += list.GetRawText().Length;
            ttl = Shorter(ttl, TtlOf(result));
            cursor = result.TryGetProperty("nextCursor", out var next) && next.ValueKind == JsonValueKind.String ? next.GetString() : null;
            if (cursor is null || items.Count > MaxItems || characters > MaxCharacters)
            {
                break;
            }
        }

        return items.Count <= MaxItems && characters <= MaxCharacters && cursor is null
            ? new ServerList(items, ttl)
            : throw new UpstreamException(UpstreamFailure.TooLarge,
                $"The server announces more than {MaxItems} {kind.Member}, more than {MaxPages} pages of them, or more than 16 MiB.");
    }

    public static TimeSpan? Shorter(TimeSpan? one, TimeSpan? other) => other is null || one < other ? one : other;

    private static TimeSpan? TtlOf(JsonElement result) =>
        result.TryGetProperty("ttlMs", out var ttl) && ttl.ValueKind == JsonValueKind.Number && ttl.TryGetDouble(out var milliseconds) && milliseconds >= 0
            ? TimeSpan.FromMilliseconds(Math.Min(milliseconds, TimeSpan.FromDays(1).TotalMilliseconds))
            : null;

    /// <summary>The result of one page; null where the server has no such list.</summary>
    private async Task<JsonElement?> AskAsync(UpstreamSession session, ListedKind kind, string? cursor, CancellationToken ct)
    {
        var id = session.NextId();
        var body = RpcBody.Build(id, kind.Method, json =>
        {
            if (cursor is not null)
            {
                json.WriteString("cursor"u8, cursor);
            }

            if (session.IsModern)
            {
                RpcBody.WriteModernMeta(json, session.Offered.Utf8);
            }
        });
        using var exchange = await client.PostAsync(session, kind.Method, name: null, body, ct);
        if (exchange.Status == 404 && session.SessionId is not null)
        {
            throw new UpstreamException(UpstreamFailure.SessionLost, "The server lost the session.");
        }

        await foreach (var message in exchange.ReadAsync(id, ct))
        {
            if (message.Outline.Kind == MessageKind.Request)
            {
                await LookAnswers.AnswerAsync(client, session, message, ct);
            }

            if (message.Outline.Kind != MessageKind.Response)
            {
                continue;
            }

            if (message.Outline.Result.Exists)
            {
                return JsonElement.Parse(message.Outline.Result.Of(message.Bytes.Span), new JsonDocumentOptions { MaxDepth = MaxDepth });
            }

            return kind.IsOptional && cursor is null && message.Outline.ErrorCode == RpcCodes.MethodNotFound
                ? null
                : throw new UpstreamException(UpstreamFailure.Nonsense, $"The server refused {kind.Method} (code {message.Outline.ErrorCode}).");
        }

        throw new UpstreamException(UpstreamFailure.Nonsense, $"The server ended its answer to {kind.Method} without a response.");
    }
}
