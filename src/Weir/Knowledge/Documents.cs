using System.Text.Json;
using Weir.Configuration;
using Weir.Errors;
using Weir.Knowledge.Store;
using Weir.Knowledge.Text;

namespace Weir.Knowledge;

/// <summary>
/// Takes documents in: read and cut here, written by the database as the person, in one transaction. Embedding comes after.
/// </summary>
internal sealed class Documents(KnowledgeQueries queries, KnowledgeConfig config, Action wake)
{
    private const int MaxTitle = 300;

    private static readonly JsonSerializerOptions Json =
        new(JsonSerializerDefaults.Web) { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <exception cref="WeirException">
    /// WR001: it is no text, or something of it is badly formed. WR003: not this person. WR004: there is no such datastore for this person.
    /// WR006: the organization's quota. WR014: too many pieces.
    /// </exception>
    public async Task<IngestedDocument> IngestAsync(Guid userId, DocumentRequest request, CancellationToken ct)
    {
        var chunks = DocumentText.Chunks(request.MediaType, request.Content, config.ChunkCharacters, config.ChunkOverlap);
        var document = await queries.IngestAsync(
            userId, request.DatastoreId, TitleOf(request), request.Source, request.MediaType,
            JsonSerializer.Serialize(chunks.Select(c => new { c.Text, c.Heading }), Json), ct);
        if (document.Created)
        {
            wake();
        }

        return document;
    }

    private static string TitleOf(DocumentRequest request)
    {
        // A title that was given is taken as it is, or refused by the database.
        var title = request.Title ?? (request.MediaType == DocumentText.Html ? HtmlText.Read(request.Content).Title : null)
            ?? request.Source
            ?? throw new WeirException(ErrorCode.InvalidArgument, "title is missing.");
        return request.Title
            ?? (VisibleText.Line(VisibleText.Of(title)) is var line && line.Length <= MaxTitle ? line : line[..MaxTitle].TrimEnd());
    }
}
