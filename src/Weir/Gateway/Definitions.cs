using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;

namespace Weir.Gateway;

/// <summary>A definition's bytes, kept in two halves around the value of its name, so that a list only pastes.</summary>
internal sealed record Definition(byte[] BeforeName, byte[] AfterName, byte[] Raw)
{
    public static Definition Parse(string json)
    {
        var raw = Encoding.UTF8.GetBytes(json);
        var reader = new Utf8JsonReader(raw);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isName = reader.ValueTextEquals("name"u8);
            reader.Read();
            if (isName)
            {
                return new Definition(raw[..(int)reader.TokenStartIndex], raw[(int)reader.BytesConsumed..], raw);
            }

            reader.Skip();
        }

        throw new JsonException("A definition without a name.");
    }

    public void WriteTo(IBufferWriter<byte> output, string exposedName)
    {
        output.Write(BeforeName);
        output.Write(JsonSerializer.SerializeToUtf8Bytes(exposedName, GatewayJson.Default.String));
        output.Write(AfterName);
    }
}

/// <summary>Definitions by what they are of and their hash: what is kept here never changes. Keyed by instance, so no tenant's bytes reach another.</summary>
internal sealed class Definitions(GatewayQueries queries)
{
    private const int MaxKept = 50_000;

    private readonly ConcurrentDictionary<Key, Definition> _kept = new();

    /// <summary>The definitions of the items, in order; null for one that the database no longer has.</summary>
    public async Task<IReadOnlyList<Definition?>> GetAsync(IReadOnlyList<CatalogItem> items, CancellationToken ct)
    {
        var missing = items.Where(i => !_kept.ContainsKey(KeyOf(i.InstanceId, i.Kind, i.Name, i.Hash))).ToArray();
        if (missing.Length > 0)
        {
            if (_kept.Count > MaxKept)
            {
                _kept.Clear();
                missing = [.. items];
            }

            foreach (var row in await queries.DefinitionsAsync(missing, ct))
            {
                _kept[KeyOf(row.InstanceId, row.Kind, row.Name, row.Hash)] = Definition.Parse(row.Definition);
            }
        }

        return [.. items.Select(i => _kept.GetValueOrDefault(KeyOf(i.InstanceId, i.Kind, i.Name, i.Hash)))];
    }

    private static Key KeyOf(Guid instanceId, string kind, string name, byte[] hash) => new(instanceId, kind, name, Convert.ToHexString(hash));

    private readonly record struct Key(Guid InstanceId, string Kind, string Name, string Hash);
}
