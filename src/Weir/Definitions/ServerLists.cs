using System.Text.Json;
using Weir.Configuration;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Definitions;

/// <summary>The whole of one of a server's lists.</summary>
/// <param name="Ttl">How long the server says that it is good, of its pages the shortest; null: it says nothing.</param>
internal sealed record ListedItems(IReadOnlyList<JsonElement> Items, TimeSpan? Ttl);

/// <summary>
/// The room for what a server announces: one for all of its lists together, and of its organization's bytes for as long as they are kept.
/// </summary>
internal sealed class ListRoom(ByteAccount account) : IDisposable
{
    public const int MaxBytes = 16 * 1024 * 1024;

    /// <summary>What is announced is held as it came, as items of JSON, and as text for the database.</summary>
    private const int Copies = 3;

    /// <summary>Enough of an account.</summary>
    public const long MostHeld = (long)MaxBytes * Copies;

    private long _bytes;

    /// <summary>False: the lists together are larger than they may be.</summary>
    /// <exception cref="UpstreamException">The organization holds as much as it may.</exception>
    public bool TryKeep(int bytes)
    {
        if (Interlocked.Add(ref _bytes, bytes) > MaxBytes)
        {
            return false;
        }

        account.Take((long)bytes * Copies);
        return true;
    }

    public void Dispose() => account.Dispose();
}

/// <summary>Asks a server for the whole of one of its lists, page by page.</summary>
internal sealed class ServerLists(UpstreamClient client)
{
    /// <summary>A server that never ends its list is cut off here.</summary>
    private const int MaxPages = 100;
    private const int MaxItems = 5000;

    /// <summary>So many pages without an item, one after another, end a list.</summary>
    private const int MaxEmptyPages = 10;

    /// <summary>
    /// The list ends where the server names no next cursor. It also ends, and what came is kept, where the pages do not advance: at a
    /// cursor that was sent before, at a page that holds only what is known already, and after ten empty pages.
    /// </summary>
    /// <exception cref="UpstreamException">The server refused, broke the protocol, or announced more than 5,000 items, 100 pages, or 16 MiB
    /// in all of its lists.</exception>
    /// <param name="room">For this and the server's other lists. A page for which there is none is not kept.</param>
    public async Task<ListedItems> ListAsync(UpstreamSession session, ListedKind kind, ListRoom room, CancellationToken ct)
    {
        var items = new List<JsonElement>();
        var known = new HashSet<string>(StringComparer.Ordinal);
        var cursors = new HashSet<string>(StringComparer.Ordinal);
        TimeSpan? ttl = null;
        string? cursor = null;
        var emptyPages = 0;
        for (var page = 0; page < MaxPages && items.Count <= MaxItems; page++)
        {
            if (await AskAsync(session, kind, cursor, room, ct) is not { } result)
            {
                return new ListedItems([], ttl);
            }

            var listed = ItemsOf(kind, result);
            var isNew = false;
            foreach (var item in listed)
            {
                isNew |= known.Add(KeyOf(kind, item));
            }

            items.AddRange(isNew ? listed : []);
            ttl = Shorter(ttl, TtlOf(result));
            emptyPages = listed.Count == 0 ? emptyPages + 1 : 0;
            cursor = NextCursorOf(result);
            var advances = emptyPages > 0 ? emptyPages < MaxEmptyPages : isNew;
            if (cursor is null || !cursors.Add(cursor) || !advances)
            {
                return items.Count <= MaxItems ? new ListedItems(items, ttl) : throw TooMuch(kind);
            }
        }

        throw TooMuch(kind);
    }

    private static UpstreamException TooMuch(ListedKind kind) => new(UpstreamFailure.TooLarge,
        $"The server announces more than {MaxItems} {kind.Member}, more than {MaxPages} pages of them, or more than 16 MiB in all of its "
            + "lists.");

    /// <summary>Null is an empty list: so Go writes a list that was never filled.</summary>
    private static IReadOnlyList<JsonElement> ItemsOf(ListedKind kind, JsonElement result) =>
        result.ValueKind == JsonValueKind.Object && result.TryGetProperty(kind.Member, out var list)
            && list.ValueKind is JsonValueKind.Array or JsonValueKind.Null
            ? list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray()] : []
            : throw new UpstreamException(UpstreamFailure.Nonsense, $"The server's answer to {kind.Method} holds no {kind.Member}.");

    /// <summary>What tells an item from the others of its list: its name, or all of an item that has none.</summary>
    private static string KeyOf(ListedKind kind, JsonElement item) =>
        item.ValueKind == JsonValueKind.Object && item.TryGetProperty(kind.NameMember, out var name)
            && name.ValueKind == JsonValueKind.String
            ? name.GetRawText() : item.GetRawText();

    /// <summary>Null at the end of the list. An empty cursor, null, and what is no text name no page.</summary>
    private static string? NextCursorOf(JsonElement result)
    {
        try
        {
            return result.TryGetProperty("nextCursor", out var next) && next.ValueKind == JsonValueKind.String
                && next.GetString() is { Length: > 0 } text
                ? text : null;
        }
        catch (InvalidOperationException e)
        {
            throw new UpstreamException(UpstreamFailure.Nonsense, "The server's cursor holds half of a surrogate pair.", e);
        }
    }

    public static TimeSpan? Shorter(TimeSpan? one, TimeSpan? other) => other is null || one < other ? one : other;

    private static TimeSpan? TtlOf(JsonElement result) =>
        result.TryGetProperty("ttlMs", out var ttl) && ttl.ValueKind == JsonValueKind.Number && ttl.TryGetDouble(out var milliseconds)
            && milliseconds >= 0
            ? TimeSpan.FromMilliseconds(Math.Min(milliseconds, TimeSpan.FromDays(1).TotalMilliseconds))
            : null;

    /// <summary>The result of one page, for which there is room; null where the server has no such list.</summary>
    private async Task<JsonElement?> AskAsync(UpstreamSession session, ListedKind kind, string? cursor, ListRoom room, CancellationToken ct)
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
        await foreach (var message in exchange.ReadAsync(id, ct))
        {
            if (message.Fields.Kind == MessageKind.Request)
            {
                await LookAnswers.AnswerAsync(client, session, message, ct);
            }

            if (message.Fields.Kind != MessageKind.Response)
            {
                continue;
            }

            if (message.Fields.Result.Exists)
            {
                return room.TryKeep(message.Bytes.Length)
                    ? JsonElement.Parse(
                        message.Fields.Result.Of(message.Bytes.Span), new JsonDocumentOptions { MaxDepth = JsonDepth.Message })
                    : throw TooMuch(kind);
            }

            return kind.IsOptional && cursor is null && message.Fields.ErrorCode == RpcCodes.MethodNotFound
                ? null
                : throw new UpstreamException(
                    UpstreamFailure.Nonsense, $"The server refused {kind.Method} with the error code {message.Fields.ErrorCode}.")
                {
                    Cause = FailureCause.RequestRefused,
                };
        }

        throw new UpstreamException(UpstreamFailure.Nonsense, $"The server ended its answer to {kind.Method} without a response.");
    }
}
