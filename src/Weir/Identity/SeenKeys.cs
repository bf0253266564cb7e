using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Weir.Identity;

/// <summary>
/// Keys that the database found good here lately: whether a body of theirs is read before it is asked again. No permission follows from it;
/// each statement decides anew. It holds an id and a digest of the secret's hash, so an id alone, which is no secret, is not enough.
/// </summary>
internal sealed class SeenKeys(TimeProvider time)
{
    private const int Most = 10_000;
    private static readonly TimeSpan Lately = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<string, long> _seen = new(StringComparer.Ordinal);

    public bool Contains(string id, byte[] secretHash) => _seen.TryGetValue(Name(id, secretHash), out var at)
        && time.GetElapsedTime(at) < Lately;

    public void Add(string id, byte[] secretHash)
    {
        if (_seen.Count >= Most)
        {
            // All are asked about once more, rather than kept in some order.
            _seen.Clear();
        }

        _seen[Name(id, secretHash)] = time.GetTimestamp();
    }

    /// <summary>The database has refused it.</summary>
    public void Remove(string id, byte[] secretHash) => _seen.TryRemove(Name(id, secretHash), out _);

    private static string Name(string id, byte[] secretHash) =>
        $"{id}:{Convert.ToHexStringLower(SHA256.HashData(secretHash).AsSpan(0, 8))}";
}
