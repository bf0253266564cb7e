using System.Security.Cryptography;
using System.Text;

namespace Weir.Postgres;

/// <summary>
/// What PostgreSQL stores of a password (RFC 5803). Made here, so that the password itself is in no statement, and so in no
/// log of statements.
/// </summary>
internal static class ScramVerifier
{
    private const int Iterations = 4096;

    public static string Compute(string password, byte[]? salt = null)
    {
        // SASLprep leaves printable ASCII as it is; for anything else PostgreSQL's preparation would have to be repeated.
        if (password.Length == 0 || password.Any(c => c is < ' ' or > '~'))
        {
            throw new FormatException("The password of a Weir login must be of printable ASCII characters.");
        }

        salt ??= RandomNumberGenerator.GetBytes(16);
        var salted = Rfc2898DeriveBytes.Pbkdf2(password, salt, Iterations, HashAlgorithmName.SHA256, 32);
        var clientKey = HMACSHA256.HashData(salted, Encoding.ASCII.GetBytes("Client Key"));
        var serverKey = HMACSHA256.HashData(salted, Encoding.ASCII.GetBytes("Server Key"));
        return $"SCRAM-SHA-256${Iterations}:{Convert.ToBase64String(salt)}$"
            + $"{Convert.ToBase64String(SHA256.HashData(clientKey))}:{Convert.ToBase64String(serverKey)}";
    }
}
