using System.Text.Json;
using Weir.Nodes;

namespace Weir.NodeAgent.Uplink;

/// <summary>
/// Makes a heartbeat fit into what Weir reads of one: what servers say of themselves must not silence the node, which others use too.
/// Errors are cut, all to the same length, measured as they are written: a character may take six bytes.
/// </summary>
internal static class HeartbeatFit
{
    /// <summary>For the node's own status.</summary>
    private const int Rest = 64 * 1024;

    public static HeartbeatRequest Fit(HeartbeatRequest heartbeat) =>
        heartbeat with { Servers = Fit(heartbeat.Servers, HeartbeatRequest.MostBytes - Rest) };

    private static ServerStatus[] Fit(ServerStatus[] all, int most)
    {
        // Of more than Weir takes, what is stopped is left out: nothing of it can change by itself.
        var servers = all.Length <= HeartbeatRequest.MostServers
            ? all : [.. all.OrderBy(s => s.State == ServerStates.Stopped).Take(HeartbeatRequest.MostServers)];
        var sizes = Array.ConvertAll(servers, s => (long)JsonSerializer.SerializeToUtf8Bytes(s, NodeJson.Default.ServerStatus).Length + 1);
        if (sizes.Sum() <= most)
        {
            return servers;
        }

        var errors = Array.ConvertAll(servers, s => (long)Written(s.Error ?? ""));
        var share = (int)Math.Max(0, (most - (sizes.Sum() - errors.Sum())) / Math.Max(1, errors.Count(e => e > 0)));
        return Array.ConvertAll(servers, s => s.Error is { } error ? s with { Error = Cut(error, share) } : s);
    }

    private static string Cut(string text, int most)
    {
        if (Written(text) <= most)
        {
            return text;
        }

        // The mark takes six bytes.
        var (end, bytes) = (0, 6);
        foreach (var rune in text.EnumerateRunes())
        {
            bytes += Written(rune.ToString());
            if (bytes > most)
            {
                break;
            }

            end += rune.Utf16SequenceLength;
        }

        return most < 6 ? "" : text[..end] + "…";
    }

    private static int Written(string text) => JsonEncodedText.Encode(text).EncodedUtf8Bytes.Length;
}
