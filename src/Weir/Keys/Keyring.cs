using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Weir.Keys;

/// <summary>
/// The keys that all replicas share. The first key seals, every key opens, so a keyring rotates online:
/// add the new key in front, roll the replicas, drop the old key when nothing sealed by it is left.
/// Sealing keys are derived by purpose (HKDF-SHA256), so a value sealed for one purpose never opens for another.
/// </summary>
internal sealed class Keyring
{
    private const int KeyBytes = 32;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const byte FormatVersion = 1;

    private readonly (uint Id, byte[] Key)[] _keys;
    private readonly ConcurrentDictionary<(uint Id, string Purpose), byte[]> _derived = new();

    private Keyring((uint Id, byte[] Key)[] keys) => _keys = keys;

    /// <summary>SHA-256 over all keys, in order. <c>serve</c> refuses a keyring whose fingerprint differs from the database's.</summary>
    public byte[] Fingerprint => SHA256.HashData(_keys.SelectMany(k => Derive(k, "fingerprint")).ToArray());

    /// <summary>A keyring from base64 keys of 32 bytes each, the sealing key first.</summary>
    /// <exception cref="FormatException">There is no key, or one is not 32 bytes of base64.</exception>
    public static Keyring Parse(IReadOnlyList<string> base64Keys)
    {
        if (base64Keys.Count == 0)
        {
            throw new FormatException("The keyring holds no key: it wants at least one, 32 bytes in base64.");
        }

        var keys = base64Keys.Select((text, i) =>
        {
            var key = new byte[KeyBytes];
            return Convert.TryFromBase64String(text, key, out var written) && written == KeyBytes
                ? (BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData(key)), key)
                : throw new FormatException($"Key {i} of the keyring is not {KeyBytes} bytes in base64.");
        });
        return new Keyring(keys.ToArray());
    }

    /// <summary>Reads <c>{"keys": ["base64", …]}</c>; makes the file, readable by its owner only, where there is none.</summary>
    public static Keyring LoadOrCreate(string path)
    {
        if (!File.Exists(path))
        {
            Create(path);
        }

        using var document = JsonDocument.Parse(File.ReadAllText(path));
        return Parse(document.RootElement.GetProperty("keys").EnumerateArray().Select(k => k.GetString() ?? "").ToArray());
    }

    /// <summary>Of replicas that start at the same time one makes the file, whole, and the others read it.</summary>
    private static void Create(string path)
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        var own = $"{path}.{RandomNumberGenerator.GetHexString(16, lowercase: true)}";
        try
        {
            using (var file = new FileStream(own, options))
            {
                JsonSerializer.Serialize(file, new { keys = new[] { Convert.ToBase64String(RandomNumberGenerator.GetBytes(KeyBytes)) } });
                file.Flush(flushToDisk: true);
            }

            File.Move(own, path, overwrite: false);
        }
        catch (IOException) when (File.Exists(path))
        {
            // Another one was first.
        }
        finally
        {
            File.Delete(own);
        }
    }

    /// <summary>A key of 32 bytes for one purpose that is not sealing, e.g. signing the embedded issuer's tokens.</summary>
    public byte[] DeriveKey(string purpose) => Derive(_keys[0], purpose);

    /// <summary>AES-256-GCM: version, key id, nonce, ciphertext, tag. <paramref name="associated"/> must be given again to open.</summary>
    public byte[] Seal(string purpose, ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> associated = default)
    {
        var output = new byte[1 + 4 + NonceBytes + plaintext.Length + TagBytes];
        output[0] = FormatVersion;
        BinaryPrimitives.WriteUInt32BigEndian(output.AsSpan(1), _keys[0].Id);
        var nonce = output.AsSpan(5, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        var body = output.AsSpan(5 + NonceBytes, plaintext.Length);
        using var aes = new AesGcm(Derive(_keys[0], purpose), TagBytes);
        aes.Encrypt(nonce, plaintext, body, output.AsSpan(output.Length - TagBytes), associated);
        return output;
    }

    /// <summary>False for anything that was not sealed by a key of this ring, for this purpose, with these associated bytes.</summary>
    public bool TryOpen(string purpose, ReadOnlySpan<byte> sealedBytes, ReadOnlySpan<byte> associated, out byte[] plaintext)
    {
        plaintext = [];
        if (sealedBytes.Length < 1 + 4 + NonceBytes + TagBytes || sealedBytes[0] != FormatVersion)
        {
            return false;
        }

        var id = BinaryPrimitives.ReadUInt32BigEndian(sealedBytes[1..]);
        foreach (var key in _keys)
        {
            if (key.Id != id)
            {
                continue;
            }

            var body = sealedBytes[(5 + NonceBytes)..^TagBytes];
            var output = new byte[body.Length];
            try
            {
                using var aes = new AesGcm(Derive(key, purpose), TagBytes);
                aes.Decrypt(sealedBytes.Slice(5, NonceBytes), body, sealedBytes[^TagBytes..], output, associated);
                plaintext = output;
                return true;
            }
            catch (AuthenticationTagMismatchException)
            {
                return false;
            }
        }

        return false;
    }

    /// <summary>There are a handful of purposes, and a derivation costs more than the sealing of a session's id.</summary>
    private byte[] Derive((uint Id, byte[] Key) key, string purpose) => _derived.GetOrAdd(
        (key.Id, purpose), (of, secret) => HKDF.DeriveKey(
            HashAlgorithmName.SHA256, secret, KeyBytes, salt: null, Encoding.UTF8.GetBytes("weir/" + of.Purpose)), key.Key);
}
