namespace Weir.Knowledge.Store;

/// <summary>
/// A piece of a document that was found. All of it is from outside: text is data, and <paramref name="Source"/> what its ingester said.
/// </summary>
/// <param name="Datastore">The datastore's name.</param>
/// <param name="Heading">The headings above it, the outermost first; empty where there are none.</param>
/// <param name="Score">0 to 1. It orders the passages of one answer; passages of two answers it does not compare.</param>
/// <param name="Ordinal">Its place in the document, from 0.</param>
internal sealed record Passage(
    Guid DocumentId, string Datastore, string Title, string? Source, string Heading, string Text, double Score, int Ordinal);

/// <summary>What was found, and what had to be done without.</summary>
/// <param name="Missing">Why not all ways of searching took part: what failed, in words for a person. Empty: all did.</param>
internal sealed record KnowledgeAnswer(IReadOnlyList<Passage> Passages, IReadOnlyList<string> Missing);

/// <summary>A datastore that an agent searches, as the database says at this moment.</summary>
/// <param name="Index">The foreign index that has its vectors; null: they are in the database.</param>
/// <param name="Version">Rises with whatever changes what is found in it by meaning.</param>
/// <param name="RemovalVersion">The version at which something was last removed.</param>
internal sealed record KnowledgeSource(Guid DatastoreId, Guid OrganizationId, string? Index, long Version, long RemovalVersion);

/// <summary>A chunk that was found, by whatever way.</summary>
internal readonly record struct Hit(Guid ChunkId, double Score);
