using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Text.Json;
using Weir.Configuration;
using Weir.Definitions;
using Weir.Mcp;

namespace Weir.Gateway.AgentTools;

/// <summary>A definition as clients are shown it, in pieces around the values that Weir replaces, so that a list only pastes.</summary>
internal sealed class Definition
{
    private readonly ShownDefinition _legacy;
    private readonly ShownDefinition _modern;

    private Definition(ShownDefinition legacy, ShownDefinition modern, IReadOnlyList<ParamHeader> paramHeaders)
    {
        (_legacy, _modern, ParamHeaders) = (legacy, modern, paramHeaders);
        Bytes = legacy.Bytes + (ReferenceEquals(legacy, modern) ? 0 : modern.Bytes);
    }

    /// <summary>The arguments that a modern request of this tool repeats in headers.</summary>
    public IReadOnlyList<ParamHeader> ParamHeaders { get; }

    public int Bytes { get; }

    /// <param name="kind">One of <see cref="ItemKinds"/>.</param>
    public static Definition Parse(string json, string kind)
    {
        var list = ListedKind.Of(kind);
        var modern = ItemShape.Shown(kind, json, modern: true);
        var legacy = ItemShape.Shown(kind, json, modern: false);
        var shown = ShownDefinition.Parse(modern, list);
        return new Definition(
            legacy.AsSpan().SequenceEqual(modern) ? shown : ShownDefinition.Parse(legacy, list), shown, ReadParamHeaders(modern));
    }

    /// <summary>The definition by its server's own name, for what is not a client of either era.</summary>
    public byte[] WithName(string name)
    {
        var output = new ArrayBufferWriter<byte>(_modern.Bytes + name.Length + 2);
        _modern.WriteTo(output, name, uiHost: null);
        return output.WrittenSpan.ToArray();
    }

    /// <param name="uiHost">The server's name where addresses of user interfaces get it; null where they stay as they are.</param>
    public void WriteTo(IBufferWriter<byte> output, string exposedName, string? uiHost, bool modern) =>
        (modern ? _modern : _legacy).WriteTo(output, exposedName, uiHost);

    /// <summary>Few tools have any; those that have invalid ones are not in the catalog.</summary>
    private static IReadOnlyList<ParamHeader> ReadParamHeaders(byte[] json)
    {
        if (json.AsSpan().IndexOf("x-mcp-header"u8) < 0)
        {
            return Mcp.ParamHeaders.None;
        }

        var definition = JsonElement.Parse(json, new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        return (definition.TryGetProperty("inputSchema", out var schema) ? Mcp.ParamHeaders.Read(schema) : null) ?? Mcp.ParamHeaders.None;
    }
}

/// <summary>
/// Definitions by what they are of and their hash: what is kept here never changes. Keyed by instance, so no tenant's bytes reach another.
/// </summary>
/// <param name="load">Reads definitions from the database; leaves out those that it no longer has.</param>
/// <param name="maxBytes">Beyond this many the whole set is dropped: it refills by use.</param>
internal sealed class DefinitionCache(
    Func<IReadOnlyList<AgentItem>, CancellationToken, Task<IReadOnlyList<AgentToolsQueries.DefinitionRow>>> load,
    long maxBytes = DefinitionCache.MaxBytes)
{
    private const long MaxBytes = 128 * 1024 * 1024;

    private readonly ConcurrentDictionary<Key, Definition> _kept = new();
    private long _bytes;

    /// <summary>Bytes of what is kept.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>The definitions of the items, in order; null for one that the database no longer has, or that cannot be read.</summary>
    public async Task<IReadOnlyList<Definition?>> GetAsync(IReadOnlyList<AgentItem> items, CancellationToken ct)
    {
        // What is found is held from here on: another list may drop what is kept while this one waits for the database.
        var found = items.Select(KeyOf).Distinct().ToDictionary(key => key, key => _kept.GetValueOrDefault(key));
        var missing = items.Where(item => found[KeyOf(item)] is null).ToArray();
        if (missing.Length > 0)
        {
            foreach (var row in await load(missing, ct))
            {
                if (Read(row.Definition, row.Kind) is { } definition)
                {
                    var key = KeyOf(row.InstanceId, row.Kind, row.Name, row.Hash);
                    found[key] = definition;
                    Keep(key, definition);
                }
            }
        }

        return [.. items.Select(item => found[KeyOf(item)])];
    }

    private void Keep(Key key, Definition definition)
    {
        if (Interlocked.Read(ref _bytes) + definition.Bytes > maxBytes)
        {
            _kept.Clear();
            Interlocked.Exchange(ref _bytes, 0);
        }

        if (_kept.TryAdd(key, definition))
        {
            Interlocked.Add(ref _bytes, definition.Bytes);
        }
    }

    private static Definition? Read(string json, string kind)
    {
        try
        {
            return Definition.Parse(json, kind);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }

    private static Key KeyOf(AgentItem item) => KeyOf(item.InstanceId, item.Kind, item.Name, item.Hash);

    /// <summary>A long list makes thousands of keys, so each is a value: the hash, SHA-256, is its two halves.</summary>
    private static Key KeyOf(Guid instanceId, string kind, string name, byte[] hash) =>
        new(instanceId, kind, name, BinaryPrimitives.ReadUInt128LittleEndian(hash),
            BinaryPrimitives.ReadUInt128LittleEndian(hash.AsSpan(16)));

    private readonly record struct Key(Guid InstanceId, string Kind, string Name, UInt128 HashBegin, UInt128 HashEnd);
}
