using System.Buffers;
using System.Text;
using System.Text.Json;
using Weir.Configuration;

namespace Weir.Audit;

/// <summary>
/// The copy of a body that the audit log keeps: at most 4 KiB, secrets blacked out by the name of their key or by their shape.
/// The SHA-256 beside it is over the full body, so the copy never has to be complete to prove something.
/// </summary>
internal static class Redaction
{
    public const int MaxBytes = 4096;
    private const string Mask = "[redacted]";

    private static readonly string[] SecretNames =
        ["password", "passwd", "secret", "token", "apikey", "authorization", "credential", "privatekey", "accesskey", "cookie"];

    private static readonly string[] SecretShapes = [
        "weir_", "Bearer ", "Basic ", "sk-", "ghp_", "gho_", "github_pat_", "xox", "AKIA", "eyJ", "-----BEGIN ",
    ];

    /// <summary>A redacted copy as text that PostgreSQL can hold; what is no JSON is represented by its length only.</summary>
    public static string Copy(ReadOnlySpan<byte> body)
    {
        var output = new ArrayBufferWriter<byte>(Math.Min(body.Length + 16, MaxBytes + 256));
        var complete = false;
        try
        {
            complete = TryCopy(body, output);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not JSON, or a string that is no text: half of a surrogate pair, invalid UTF-8.
            return $"[not JSON, {body.Length} bytes]";
        }

        var written = output.WrittenSpan;
        var text = Encoding.UTF8.GetString(written[..Math.Min(written.Length, MaxBytes - 32)]).TrimEnd('\uFFFD')
            .Replace("\0", "", StringComparison.Ordinal);
        return complete && written.Length <= MaxBytes - 32 ? text : text + "… [cut]";
    }

    /// <summary>False when it stopped because the copy is long enough.</summary>
    private static bool TryCopy(ReadOnlySpan<byte> body, ArrayBufferWriter<byte> output)
    {
        // Unescaped writing keeps the copy readable; it is stored as text and never put into HTML unescaped.
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions
        {
            SkipValidation = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        });
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = JsonDepth.Message });
        var maskNext = false;
        while (reader.Read())
        {
            if (json.BytesCommitted + json.BytesPending > MaxBytes)
            {
                return false;
            }

            maskNext = Copy(ref reader, json, maskNext);
        }

        return true;
    }

    /// <summary>Copies one token; says whether the next one is the value of a secret's name.</summary>
    private static bool Copy(ref Utf8JsonReader reader, Utf8JsonWriter json, bool mask)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.PropertyName:
                var name = Text(ref reader);
                json.WritePropertyName(name);
                return IsSecretName(name);
            case var _ when mask:
                json.WriteStringValue(Mask);
                reader.Skip();
                return false;
            case JsonTokenType.StartObject:
                json.WriteStartObject();
                return false;
            case JsonTokenType.EndObject:
                json.WriteEndObject();
                return false;
            case JsonTokenType.StartArray:
                json.WriteStartArray();
                return false;
            case JsonTokenType.EndArray:
                json.WriteEndArray();
                return false;
            case JsonTokenType.String:
                var text = Text(ref reader);
                json.WriteStringValue(SecretShapes.Any(s => text.StartsWith(s, StringComparison.Ordinal)) ? Mask : text);
                return false;
            default:
                json.WriteRawValue(reader.ValueSpan, skipInputValidation: true);
                return false;
        }
    }

    /// <summary>A long string is cut before it is decoded: 10 MB of it must not be copied to keep 4 KiB.</summary>
    private static string Text(ref Utf8JsonReader reader) => reader.ValueSpan.Length <= MaxBytes
        ? reader.GetString() ?? ""
        : Encoding.UTF8.GetString(reader.ValueSpan[..MaxBytes]).TrimEnd('\uFFFD');

    private static bool IsSecretName(string name)
    {
        var plain = name.Replace("_", "", StringComparison.Ordinal).Replace("-", "", StringComparison.Ordinal);
        return !plain.Contains("progresstoken", StringComparison.OrdinalIgnoreCase)
            && SecretNames.Any(s => plain.Contains(s, StringComparison.OrdinalIgnoreCase));
    }
}
