using System.Security.Cryptography;
using Weir.Keys;

namespace Weir.Tests.Keys;

public sealed class KeyringTests
{
    private static readonly byte[] Secret = "a secret"u8.ToArray();
    private static readonly string First = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
    private static readonly string Second = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    [Fact]
    public void What_was_sealed_opens_with_the_same_purpose_and_associated_bytes_only()
    {
        var ring = Keyring.Parse([First]);
        var box = ring.Seal("purpose", Secret, "org"u8);
        ring.TryOpen("purpose", box, "org"u8, out var plain).ShouldBeTrue();
        plain.ShouldBe(Secret);
        ring.TryOpen("other", box, "org"u8, out _).ShouldBeFalse();
        ring.TryOpen("purpose", box, "other"u8, out _).ShouldBeFalse();
        Keyring.Parse([Second]).TryOpen("purpose", box, "org"u8, out _).ShouldBeFalse();
    }

    [Fact]
    public void A_changed_byte_anywhere_does_not_open()
    {
        var ring = Keyring.Parse([First]);
        var box = ring.Seal("purpose", Secret);
        for (var i = 0; i < box.Length; i++)
        {
            var changed = (byte[])box.Clone();
            changed[i] ^= 1;
            ring.TryOpen("purpose", changed, default, out _).ShouldBeFalse($"byte {i}");
        }
    }

    [Fact]
    public void A_ring_rotates_the_new_key_seals_and_the_old_one_still_opens()
    {
        var before = Keyring.Parse([First]).Seal("purpose", Secret);
        var ring = Keyring.Parse([Second, First]);
        ring.TryOpen("purpose", before, default, out _).ShouldBeTrue();
        Keyring.Parse([First]).TryOpen("purpose", ring.Seal("purpose", Secret), default, out _).ShouldBeFalse();
    }

    [Theory]
    [InlineData("")]
    [InlineData("short")]
    [InlineData("AAAA")]
    public void A_key_that_is_none_is_refused(string key) => Should.Throw<FormatException>(() => Keyring.Parse([key]));

    [Fact]
    public void A_keyring_file_is_made_once_for_its_owner_alone()
    {
        var path = Path.Combine(Directory.CreateTempSubdirectory().FullName, "keyring.json");
        var made = Keyring.LoadOrCreate(path);
        Keyring.LoadOrCreate(path).Fingerprint.ShouldBe(made.Fingerprint);
        File.GetUnixFileMode(path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}
