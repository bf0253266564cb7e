using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Weir.Configuration;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway.ServerRequests;

/// <summary>
/// A legacy server that cannot go on before a person has visited an address says so by an error of its own; a modern client is told
/// that input is required, and makes the same call once more when the person has been there.
/// </summary>
internal static class UrlElicitation
{
    private const int MaxRequests = 16;

    /// <summary>The parameters of each question; empty where the error names none.</summary>
    public static IReadOnlyList<JsonElement> Read(UpstreamMessage message)
    {
        var error =
            JsonElement.Parse(message.Fields.Error.Of(message.Bytes.Span), new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        return error.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Object
            && data.TryGetProperty("elicitations", out var asked) && asked.ValueKind == JsonValueKind.Array
            ? [.. asked.EnumerateArray().Where(q => q.ValueKind == JsonValueKind.Object).Take(MaxRequests)]
            : [];
    }

    public static void WriteInputRequired(IBufferWriter<byte> output, IReadOnlyList<JsonElement> requests, string state)
    {
        using var json = new Utf8JsonWriter(output, PlainJson.Writing);
        json.WriteStartObject();
        json.WriteString("resultType"u8, "input_required"u8);
        json.WriteStartObject("inputRequests"u8);
        for (var i = 0; i < requests.Count; i++)
        {
            json.WriteStartObject("u" + (i + 1).ToString(CultureInfo.InvariantCulture));
            json.WriteString("method"u8, Methods.Elicit);
            json.WriteStartObject("params"u8);
            // The id is of the legacy era only.
            foreach (var member in requests[i].EnumerateObject().Where(m => !m.NameEquals("elicitationId"u8)))
            {
                member.WriteTo(json);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteString("requestState"u8, state);
        json.WriteEndObject();
    }
}
