using System.Buffers.Text;
using System.Text.Json;

namespace Weir.Mcp;

/// <summary>
/// The numbers that JSON from outside may hold: at most 400 characters, and an exponent of at most 400. PostgreSQL keeps 1e131000 in a few
/// bytes and prints it as 131,001 digits. In SQL <c>weir.bounds_error</c> enforces the same bound by itself.
/// </summary>
internal static class NumberBounds
{
    private const int MaxLength = 400;
    private const int MaxExponent = 400;

    public static string Description => $"A number may have {MaxLength} characters and an exponent of {MaxExponent}.";

    /// <param name="number">A number as JSON writes it.</param>
    public static bool Contain(ReadOnlySpan<byte> number)
    {
        var e = number.IndexOfAny((byte)'e', (byte)'E');
        return number.Length <= MaxLength
            && (e < 0
                || (Utf8Parser.TryParse(number[(e + 1)..], out int exponent, out _) && exponent is >= -MaxExponent and <= MaxExponent));
    }

    /// <summary>Whether all numbers are within the bounds.</summary>
    /// <param name="json">JSON that a reader has accepted already.</param>
    public static bool ContainAllOf(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = int.MaxValue });
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.Number && !Contain(reader.ValueSpan))
            {
                return false;
            }
        }

        return true;
    }
}
