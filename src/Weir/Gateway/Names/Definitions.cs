using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Weir.Catalog;
using Weir.Mcp;

namespace Weir.Gateway.Names;

/// <summary>A definition's bytes, kept in two halves around the value of its name or URI, so that a list only pastes.</summary>
internal sealed record Definition(byte[] BeforeName, byte[] AfterName)
{
    /// <param name="nameMember"><c>name</c>, <c>uri</c> or <c>uriTemplate</c>.</param>
    public static Definition Parse(string json, string nameMember = "name")
    {
        var raw = Encoding.UTF8.GetBytes(json);
        var reader = new Utf8JsonReader(raw);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isName = reader.ValueTextEquals(nameMember);
            reader.Read();
            if (isName)
            {
                return new Definition(raw[..(int)reader.TokenStartIndex], raw[(int)reader.BytesConsumed..]);
            }

            reader.Skip();
        }

        throw new JsonException($"A definition without a {nameMember}.");
    }

    /// <summary>The arguments that a modern request of this tool repeats in headers.</summary>
    public IReadOnlyList<ParamHeader> ParamHeaders { get; } = ReadParamHeaders(BeforeName, AfterName);

    /// <summary>Whether these bytes stand somewhere in it.</summary>
    public bool Holds(ReadOnlySpan<byte> bytes) => BeforeName.AsSpan().IndexOf(bytes) >= 0 || AfterName.AsSpan().IndexOf(bytes) >= 0;

    /// <summary>The server's own bytes around its own name.</summary>
    public byte[] WithName(string name)
    {
        var output = new ArrayBufferWriter<byte>(BeforeName.Length + AfterName.Length + name.Length + 2);
        WriteTo(output, name);
        return output.WrittenSpan.ToArray();
    }

    public void WriteTo(IBufferWriter<byte> output, string exposedName)
    {
        output.Write(BeforeName);
        output.Write(JsonSerializer.SerializeToUtf8Bytes(exposedName, GatewayJson.Default.String));
        output.Write(AfterName);
    }

    /// <summary>Few tools have any; those that have invalid ones are not in the catalog.</summary>
    private static IReadOnlyList<ParamHeader> ReadParamHeaders(byte[] before, byte[] after)
    {
        if (before.AsSpan().IndexOf("x-mcp-header"u8) < 0 && after.AsSpan().IndexOf("x-mcp-header"u8) < 0)
        {
            return Mcp.ParamHeaders.None;
        }

        var definition = JsonElement.Parse([.. before, .. "\"\""u8, .. after]);
        return (definition.TryGetProperty("inputSchema", out var schema) ? Mcp.ParamHeaders.Read(schema) : null) ?? Mcp.ParamHeaders.None;
    }
}

/// <summary>Definitions by what they are of and their hash: what is kept here never changes. Keyed by instance, so no tenant's bytes reach another.</summary>
internal sealed class Definitions(GatewayQueries queries)
{
    /// <summary>Beyond this many bytes the whole set is dropped: it refills by use.</summary>
    private const long MaxKept = 128 * 1024 * 1024;

    private readonly ConcurrentDictionary<Key, Definition> _kept = new();
    private long _bytes;

    /// <summary>The definitions of the items, in order; null for one that the database no longer has.</summary>
    public async Task<IReadOnlyList<Definition?>> GetAsync(IReadOnlyList<CatalogItem> items, CancellationToken ct)
    {
        var missing = items.Where(i => !_kept.ContainsKey(KeyOf(i.InstanceId, i.Kind, i.Name, i.Hash))).ToArray();
        if (missing.Length > 0)
        {
            if (Interlocked.Read(ref _bytes) > MaxKept)
            {
                _kept.Clear();
                Interlocked.Exchange(ref _bytes, 0);
                missing = [.. items];
            }

            foreach (var row in await queries.DefinitionsAsync(missing, ct))
            {
                var definition = Definition.Parse(row.Definition, ListedKind.Of(row.Kind).NameMember);
                Interlocked.Add(ref _bytes, definition.BeforeName.Length + definition.AfterName.Length);
                _kept[KeyOf(row.InstanceId, row.Kind, row.Name, row.Hash)] = definition;
            }
        }

        return [.. items.Select(i => _kept.GetValueOrDefault(KeyOf(i.InstanceId, i.Kind, i.Name, i.Hash)))];
    }

    /// <summary>A long list makes thousands of keys, so each is a value: the hash, SHA-256, is its two halves.</summary>
    private static Key KeyOf(Guid instanceId, string kind, string name, byte[] hash) =>
        new(instanceId, kind, name, BinaryPrimitives.ReadUInt128LittleEndian(hash), BinaryPrimitives.ReadUInt128LittleEndian(hash.AsSpan(16)));

    private readonly record struct Key(Guid InstanceId, string Kind, string Name, UInt128 HashBegin, UInt128 HashEnd);
}
