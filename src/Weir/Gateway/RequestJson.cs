using System.Text.Json;
using Weir.Errors;

namespace Weir.Gateway;

/// <summary>Members of a request's body. Those that nobody asks for are ignored; one that is there twice is refused.</summary>
internal static class RequestJson
{
    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 16, AllowDuplicateProperties = false };

    public static JsonDocument Read(ReadOnlyMemory<byte> body)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(body, Strict);
        }
        catch (JsonException)
        {
            throw Invalid("The body is not JSON, is nested too deeply, or holds a key twice.");
        }

        if (document.RootElement.ValueKind == JsonValueKind.Object)
        {
            return document;
        }

        document.Dispose();
        throw Invalid("The body must be a JSON object.");
    }

    public static Guid Id(JsonElement root, string member) => OptionalId(root, member) ?? throw Invalid($"{member} must be a UUID.");

    /// <summary>Null where it is missing.</summary>
    public static Guid? OptionalId(JsonElement root, string member) => Text(root, member) switch
    {
        null => null,
        var text when Guid.TryParseExact(text, "D", out var id) => id,
        _ => throw Invalid($"{member} must be a UUID."),
    };

    /// <summary>Null where it is missing.</summary>
    public static string? Text(JsonElement root, string member)
    {
        if (!root.TryGetProperty(member, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.String)
        {
            throw Invalid($"{member} must be a string.");
        }

        try
        {
            var text = value.GetString()!;
            return text.Contains('\0', StringComparison.Ordinal) ? throw Invalid($"{member} must not hold U+0000.") : text;
        }
        catch (InvalidOperationException)
        {
            throw Invalid($"{member} holds half of a surrogate pair, or bytes that are no UTF-8.");
        }
    }

    public static WeirException Invalid(string message) => new(ErrorCode.InvalidArgument, message);
}
