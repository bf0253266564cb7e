using System.Text.Json;
using Weir.Errors;
using Weir.Http;
using Weir.Knowledge.Text;

namespace Weir.Knowledge;

/// <summary>A document as it comes in over HTTP.</summary>
/// <param name="Title">Null: of a page its own, else the source.</param>
internal sealed record DocumentRequest(Guid DatastoreId, string? Title, string? Source, string MediaType, string Content)
{
    /// <exception cref="WeirException">WR001: which member is wrong, and how.</exception>
    public static DocumentRequest Parse(ReadOnlyMemory<byte> body)
    {
        using var document = RequestJson.Read(body);
        var root = document.RootElement;
        var mediaType = RequestJson.Text(root, "mediaType") ?? DocumentText.Plain;
        if (mediaType is not (DocumentText.Plain or DocumentText.Markdown or DocumentText.Html))
        {
            throw RequestJson.Invalid($"mediaType must be {DocumentText.Plain}, {DocumentText.Markdown} or {DocumentText.Html}.");
        }

        var content = RequestJson.Text(root, "content");
        if (string.IsNullOrWhiteSpace(content))
        {
            throw RequestJson.Invalid("content must not be empty.");
        }

        return new DocumentRequest(
            RequestJson.Id(root, "datastoreId"), Blank(RequestJson.Text(root, "title")),
            Blank(RequestJson.Text(root, "source")), mediaType, content);
    }

    private static string? Blank(string? text) => string.IsNullOrWhiteSpace(text) ? null : text;
}

/// <summary>What a person asks the documents of an agent.</summary>
internal sealed record SearchRequest(Guid AgentId, string Query, int Limit)
{
    private const int MaxQuery = 8192;
    private const int MaxLimit = 50;
    private const int DefaultLimit = 10;

    /// <exception cref="WeirException">WR001: which member is wrong, and how.</exception>
    public static SearchRequest Parse(ReadOnlyMemory<byte> body)
    {
        using var document = RequestJson.Read(body);
        var root = document.RootElement;
        var query = RequestJson.Text(root, "query") ?? throw RequestJson.Invalid("query is missing.");
        if (query.Length > MaxQuery)
        {
            throw RequestJson.Invalid($"query must be at most {MaxQuery} characters.");
        }

        var limit = DefaultLimit;
        if (root.TryGetProperty("limit", out var given) && given.ValueKind != JsonValueKind.Null
            && (given.ValueKind != JsonValueKind.Number || !given.TryGetInt32(out limit) || limit is < 1 or > MaxLimit))
        {
            throw RequestJson.Invalid($"limit must be 1 to {MaxLimit}.");
        }

        return new SearchRequest(RequestJson.Id(root, "agentId"), query, limit);
    }
}
