using System.Buffers;
using System.Text.Json;
using Weir.Configuration;
using Weir.Definitions;

namespace Weir.Gateway.AgentTools;

/// <summary>
/// The bytes of a definition for the clients of one era, cut at the values that Weir replaces: the name, and addresses of user interfaces.
/// </summary>
internal sealed class ShownDefinition
{
    private readonly byte[] _json;
    private readonly IReadOnlyList<Slot> _slots;

    private ShownDefinition(byte[] json, IReadOnlyList<Slot> slots) => (_json, _slots) = (json, slots);

    public int Bytes => _json.Length;

    /// <exception cref="JsonException">It has no name.</exception>
    public static ShownDefinition Parse(byte[] json, ListedKind list)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = JsonDepth.Message });
        var slots = new List<Slot>();
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isName = reader.ValueTextEquals(list.NameMember);
            var isMeta = list.Kind == ItemKinds.Tool && reader.ValueTextEquals("_meta"u8);
            reader.Read();
            if (isName)
            {
                slots.Add(new Slot((int)reader.TokenStartIndex, (int)reader.BytesConsumed, Uri: null));
            }
            else if (isMeta && reader.TokenType == JsonTokenType.StartObject)
            {
                FindAddresses(ref reader, slots, isUi: false);
            }
            else
            {
                reader.Skip();
            }
        }

        return slots.Exists(s => s.Uri is null)
            ? new ShownDefinition(json, slots)
            : throw new JsonException($"A definition without a {list.NameMember}.");
    }

    public void WriteTo(IBufferWriter<byte> output, string exposedName, string? uiHost)
    {
        var at = 0;
        foreach (var slot in _slots)
        {
            if ((slot.Uri is null ? exposedName : uiHost is null ? null : ResourceUris.Map(uiHost, slot.Uri)) is { } value)
            {
                output.Write(_json.AsSpan(at..slot.Start));
                output.Write(PlainJson.Quote(value));
                at = slot.End;
            }
        }

        output.Write(_json.AsSpan(at));
    }

    /// <summary>Where hosts look for a tool's user interface: <c>ui.resourceUri</c>, and flat keys of before.</summary>
    private static void FindAddresses(ref Utf8JsonReader reader, List<Slot> slots, bool isUi)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isAddress = ResourceUris.IsAddress(reader.GetString(), isUi);
            var opensUi = !isUi && reader.ValueTextEquals("ui"u8);
            reader.Read();
            if (isAddress && reader.TokenType == JsonTokenType.String && reader.GetString() is { } uri && ResourceUris.IsUi(uri))
            {
                slots.Add(new Slot((int)reader.TokenStartIndex, (int)reader.BytesConsumed, uri));
            }
            else if (opensUi && reader.TokenType == JsonTokenType.StartObject)
            {
                FindAddresses(ref reader, slots, isUi: true);
            }
            else
            {
                reader.Skip();
            }
        }
    }

    /// <param name="Uri">The address that is replaced; null: the name.</param>
    private readonly record struct Slot(int Start, int End, string? Uri);
}
