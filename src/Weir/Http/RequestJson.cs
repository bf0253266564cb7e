using System.Text.Json;
using Weir.Errors;
using Weir.Input;

namespace Weir.Http;

/// <summary>Members of a request's body. Those that nobody asks for are ignored; one that is there twice is refused.</summary>
internal static class RequestJson
{
    public static JsonDocument Read(ReadOnlyMemory<byte> body)
    {
        if (!JsonInput.TryParse(body, JsonBounds.Small, out var document, out var problem))
        {
            throw Invalid("The body " + problem);
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

        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw Invalid($"{member} must be a string.");
    }

    public static WeirException Invalid(string message) => new(ErrorCode.InvalidArgument, message);
}
