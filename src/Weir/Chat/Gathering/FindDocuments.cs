using Weir.Identity;

namespace Weir.Chat.Gathering;

/// <summary>
/// Searches the documents that the agent may use, as the principal. Where none is registered a turn has no documents: nothing is searched.
/// </summary>
internal delegate Task<IReadOnlyList<FoundDocument>> FindDocuments(Principal principal, string query, int limit, CancellationToken ct);

/// <summary>A part of a document that fits a message.</summary>
/// <param name="Score">0 to 1.</param>
/// <param name="Text">The part's words.</param>
internal sealed record FoundDocument(Guid Id, string Title, string Source, double Score, string Datastore, string Text);
