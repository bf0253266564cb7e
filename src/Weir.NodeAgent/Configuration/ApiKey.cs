using System.Security.Cryptography;
using System.Text;
using Weir.NodeAgent.State;

namespace Weir.NodeAgent.Configuration;

/// <summary>The key that callers of the node's API present. Compared by digest, in constant time.</summary>
internal sealed class ApiKey
{
    private readonly byte[] _digest;

    private ApiKey(string text)
    {
        Text = text;
        _digest = SHA256.HashData(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>Told to Weir once, when the node registers.</summary>
    public string Text { get; }

    /// <param name="file">Must exist; or null for the data directory's own, which is made when missing.</param>
    public static ApiKey Load(string? file, string dataDirectory)
    {
        var path = file ?? Path.Combine(dataDirectory, "state", "api-key");
        if (file is null && !File.Exists(path))
        {
            StateFile.WriteText(path, RandomNumberGenerator.GetHexString(64, lowercase: true));
        }

        var text = File.ReadAllText(path).Trim();
        return text.Length >= 32
            ? new ApiKey(text) : throw new InvalidOperationException($"The API key in {path} is shorter than 32 characters.");
    }

    public bool Matches(string? presented) =>
        presented is not null && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(presented)), _digest);
}
