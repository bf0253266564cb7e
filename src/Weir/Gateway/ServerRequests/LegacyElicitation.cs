using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using Weir.Configuration;
using Weir.Mcp;

namespace Weir.Gateway.ServerRequests;

/// <summary>A modern server's question as a legacy client knows it: an elicitation by URL has an id there.</summary>
internal static class LegacyElicitation
{
    public static ReadOnlyMemory<byte> Write(string method, ReadOnlyMemory<byte> parameters)
    {
        if (method != Methods.Elicit || parameters.Span.IndexOf("\"url\""u8) < 0)
        {
            return parameters;
        }

        using var document = JsonDocument.Parse(parameters, new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        var root = document.RootElement;
        var byUrl = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("mode", out var mode)
            && mode.ValueKind == JsonValueKind.String && mode.ValueEquals("url"u8);
        if (!byUrl || root.TryGetProperty("elicitationId", out _))
        {
            return parameters;
        }

        var output = new ArrayBufferWriter<byte>(parameters.Length + 64);
        using (var json = new Utf8JsonWriter(output, PlainJson.Writing))
        {
            json.WriteStartObject();
            foreach (var member in root.EnumerateObject())
            {
                member.WriteTo(json);
            }

            json.WriteString("elicitationId"u8, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)));
            json.WriteEndObject();
        }

        return output.WrittenMemory;
    }
}
