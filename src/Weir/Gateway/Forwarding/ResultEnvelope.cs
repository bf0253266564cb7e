using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using Weir.Configuration;
using Weir.Mcp;

namespace Weir.Gateway.Forwarding;

/// <summary>What a result carries in one era and must not carry, or must, in the other.</summary>
internal static class ResultEnvelope
{
    /// <summary>A legacy server's result for a modern client: it is complete, for legacy servers know nothing else.</summary>
    public static void WriteModern(IBufferWriter<byte> output, ReadOnlySpan<byte> result, bool hasType)
    {
        if (hasType)
        {
            output.Write(result);
            return;
        }

        var isEmpty = result[1..].TrimStart(" \t\r\n"u8) is [(byte)'}', ..];
        output.Write("{\"resultType\":\"complete\""u8);
        if (!isEmpty)
        {
            output.Write(","u8);
        }

        output.Write(result[1..]);
    }

    /// <summary>
    /// A result that a modern client may keep, and that says for how long. Whoever answered, it is private: it depends on the agent's
    /// grants. A server that names no time, as legacy ones never do, is asked each time.
    /// </summary>
    public static void WriteCacheable(IBufferWriter<byte> output, ReadOnlyMemory<byte> result)
    {
        using var document = JsonDocument.Parse(result, new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        using var json = new Utf8JsonWriter(output, PlainJson.Writing);
        var ttl = 0L;
        json.WriteStartObject();
        json.WriteString("resultType"u8, "complete"u8);
        foreach (var member in document.RootElement.EnumerateObject())
        {
            if (member.NameEquals("ttlMs"u8))
            {
                ttl = member.Value.ValueKind == JsonValueKind.Number && member.Value.TryGetInt64(out var given) ? Math.Max(given, 0) : 0;
            }
            else if (!member.NameEquals("resultType"u8) && !member.NameEquals("cacheScope"u8))
            {
                json.WritePropertyName(member.Name);
                json.WriteRawValue(JsonMarshal.GetRawUtf8Value(member.Value), skipInputValidation: true);
            }
        }

        json.WriteNumber("ttlMs"u8, ttl);
        json.WriteString("cacheScope"u8, "private"u8);
        json.WriteEndObject();
    }

    /// <summary>A modern server's result for a legacy client: strict ones reject the members that they do not know.</summary>
    public static void WriteLegacy(IBufferWriter<byte> output, ReadOnlyMemory<byte> result)
    {
        using var document = JsonDocument.Parse(result, new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        using var json = new Utf8JsonWriter(output, PlainJson.Writing);
        json.WriteStartObject();
        foreach (var member in document.RootElement.EnumerateObject())
        {
            if (member.NameEquals("resultType"u8) || member.NameEquals("ttlMs"u8) || member.NameEquals("cacheScope"u8))
            {
                continue;
            }

            if (member.NameEquals("_meta"u8) && member.Value.ValueKind == JsonValueKind.Object)
            {
                WriteLegacyMeta(json, member.Value);
                continue;
            }

            json.WritePropertyName(member.Name);
            json.WriteRawValue(JsonMarshal.GetRawUtf8Value(member.Value), skipInputValidation: true);
        }

        json.WriteEndObject();
    }

    private static void WriteLegacyMeta(Utf8JsonWriter json, JsonElement meta)
    {
        var kept = meta.EnumerateObject().Where(m => !m.NameEquals(Protocol.MetaServerInfo)).ToArray();
        if (kept.Length == 0)
        {
            return;
        }

        json.WriteStartObject("_meta"u8);
        foreach (var member in kept)
        {
            json.WritePropertyName(member.Name);
            json.WriteRawValue(JsonMarshal.GetRawUtf8Value(member.Value), skipInputValidation: true);
        }

        json.WriteEndObject();
    }
}
