namespace Weir.Knowledge.Store;

/// <summary>
/// What became of a document. <paramref name="Status"/> is <c>indexed</c> (found by its words), <c>embedded</c> (by its meaning
/// too) or <c>embedding_failed</c>.
/// </summary>
/// <param name="Created">False: the same content was there already, under this id.</param>
internal sealed record IngestedDocument(Guid Id, bool Created, int Chunks, string Status);
