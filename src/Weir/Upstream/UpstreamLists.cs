using System.Text.Json;
using Weir.Mcp;

namespace Weir.Upstream;

/// <summary>Asks a server for the whole of one of its lists, page by page.</summary>
internal sealed class UpstreamLists(UpstreamClient client)
{
    /// <summary>A server that never ends its list is cut off here.</summary>
    private const int MaxPages = 100;
    private const int MaxItems = 5000;
    private const int MaxCharacters = 16 * 1024 * 1024;

    /// <param name="method">E.g. <c>tools/list</c>.</param>
    /// <param name="member">The member of the result that holds the items, e.g. <c>tools</c>.</param>
    /// <exception cref="UpstreamException">The server refused, broke the protocol, or announced more than 5,000 items, 100 pages or 16 MiB.</exception>
    public async Task<IReadOnlyList<JsonElement>> ListAsync(UpstreamSession session, string method, string member, CancellationToken ct)
    {
        var items = new List<JsonElement>();
        string? cursor = null;
        var characters = 0L;
        for (var page = 0; page < MaxPages; page++)
        {
            var result = await AskAsync(session, method, cursor, ct);
            if (!result.TryGetProperty(member, out var list) || list.ValueKind != JsonValueKind.Array)
            {
                throw new UpstreamException(UpstreamFailure.Nonsense, $"The server's answer to {method} holds no {member}.");
            }

            items.AddRange(list.EnumerateArray());
            characters += list.GetRawText().Length;
            cursor = result.TryGetProperty("nextCursor", out var next) && next.ValueKind == JsonValueKind.String ? next.GetString() : null;
            if (cursor is null || items.Count > MaxItems || characters > MaxCharacters)
            {
                break;
            }
        }

        return items.Count <= MaxItems && characters <= MaxCharacters && cursor is null
            ? items
            : throw new UpstreamException(UpstreamFailure.TooLarge, $"The server announces more than {MaxItems} {member}, more than {MaxPages} pages of them, or more than 16 MiB.");
    }

    private async Task<JsonElement> AskAsync(UpstreamSession session, string method, string? cursor, CancellationToken ct)
    {
        var id = session.NextId();
        var body = UpstreamClient.Build(id, method, json =>
        {
            if (cursor is not null)
            {
                json.WriteString("cursor"u8, cursor);
            }

            if (session.IsModern)
            {
                UpstreamClient.WriteModernMeta(json);
            }
        });
        using var exchange = await client.PostAsync(session, method, name: null, body, ct);
        if (exchange.Status == 404 && session.SessionId is not null)
        {
            throw new UpstreamException(UpstreamFailure.SessionLost, "The server lost the session.");
        }

        await foreach (var message in exchange.ReadAsync(id, ct))
        {
            if (message.Outline.Kind != MessageKind.Response)
            {
                continue;
            }

            return message.Outline.Result.Exists
                ? JsonElement.Parse(message.Outline.Result.Of(message.Bytes.Span))
                : throw new UpstreamException(UpstreamFailure.Nonsense, $"The server refused {method} (code {message.Outline.ErrorCode}).");
        }

        throw new UpstreamException(UpstreamFailure.Nonsense, $"The server ended its answer to {method} without a response.");
    }
}
