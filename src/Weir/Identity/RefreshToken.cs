using System.Buffers.Binary;
using System.Buffers.Text;
using Weir.Keys;

namespace Weir.Identity;

/// <summary>
/// A sign-in and how often it was refreshed. Sealed, so that garbage costs no statement and nobody can make one; which count is
/// good is the database's to say.
/// </summary>
internal readonly record struct RefreshToken(Guid SignInId, int Counter)
{
    private const string Purpose = "auth/refresh";
    private const int Length = 16 + sizeof(int);
    private const int MaxText = 256;

    public string Seal(Keyring keyring)
    {
        Span<byte> plain = stackalloc byte[Length];
        SignInId.TryWriteBytes(plain);
        BinaryPrimitives.WriteInt32BigEndian(plain[16..], Counter);
        return Base64Url.EncodeToString(keyring.Seal(Purpose, plain));
    }

    /// <summary>Null for what was never one of ours.</summary>
    public static RefreshToken? Open(Keyring keyring, string text) =>
        text.Length <= MaxText && Base64Url.IsValid(text)
            && keyring.TryOpen(Purpose, Base64Url.DecodeFromChars(text), default, out var plain) && plain.Length == Length
            ? new RefreshToken(new Guid(plain.AsSpan(0, 16)), BinaryPrimitives.ReadInt32BigEndian(plain.AsSpan(16)))
            : null;
}
