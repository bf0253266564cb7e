using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using Weir.Configuration;
using Weir.NodeAgent.State;
using Weir.Nodes;

namespace Weir.NodeAgent.Bridge;

/// <summary>The proof that a server runs: it initializes, and lists its tools if it says that it has some.</summary>
internal static partial class Handshake
{
    private const string Newest = "2025-11-25";
    private const string Oldest = "2024-11-05";
    private const int InvalidParams = -32602;

    /// <summary>The longest answer to <c>initialize</c>, which is kept for as long as the child runs.</summary>
    public const int ResultLimit = 256 * 1024;

    /// <summary>How much of an answer with an error the instance's log gets, as of every other line. Bytes.</summary>
    private const int LoggedError = InstanceLog.LineLimit;

    /// <summary>Exit codes from here on come from the launcher or a signal.</summary>
    private const int FirstForeignExitCode = 125;

    /// <summary>How long to wait for the exit code after the output has closed.</summary>
    private static readonly TimeSpan ExitTimeout = TimeSpan.FromSeconds(1);

    /// <summary>The protocol versions that the bridge speaks, newest first. It uses nothing that the oldest lacks.</summary>
    public static readonly string[] Versions = [Newest, "2025-06-18", "2025-03-26", Oldest];

    public static string OwnVersion { get; } = typeof(Handshake).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?
        .InformationalVersion.Split('+')[0] ?? "0";

    /// <summary>
    /// The child's initialize result, as it said it. The bridge declares no capabilities: what many share can ask nobody.
    /// </summary>
    /// <param name="phase">Told how far it has come, one of <see cref="ServerPhases"/>.</param>
    /// <exception cref="InstanceFailure">The child does not speak MCP, or not in time.</exception>
    public static async Task<byte[]> RunAsync(
        ChildConnection child, TimeSpan timeout, Action<string> phase, TimeProvider time, CancellationToken cancellation)
    {
        try
        {
            return await RunAsync(child, timeout, phase, cancellation);
        }
        catch (ChildEndedException e)
        {
            throw await EndedAsync(child, e.Message, time);
        }
        catch (JsonException e)
        {
            throw Failed(
                NodeErrors.ProtocolError, "The server's answer to initialize is not JSON, or nested too deep.", ("node", e.Message));
        }
    }

    private static async Task<byte[]> RunAsync(
        ChildConnection child, TimeSpan timeout, Action<string> phase, CancellationToken cancellation)
    {
        phase(ServerPhases.Handshake);
        var reply = await InitializeAsync(child, Newest, timeout, cancellation);
        if (VersionToTryNext(reply) is { } version)
        {
            reply = await InitializeAsync(child, version, timeout, cancellation);
        }

        var (result, hasTools) = ReadResult(reply);
        child.Send(JsonRpc.Notification("notifications/initialized", ""));
        phase(ServerPhases.Listing);
        var method = hasTools ? "tools/list" : "ping";
        var second = await AskAsync(child, method, "", NodeErrors.ListingTimedOut, timeout, cancellation);
        return MessageParts.TryParse(second, out var answer, out _) && !answer.IsError
            ? result : throw Refused(NodeErrors.ListingRefused, method, second);
    }

    private static Task<byte[]> InitializeAsync(ChildConnection child, string version, TimeSpan timeout, CancellationToken cancellation)
    {
        var parameters =
            $$$"""{"protocolVersion":"{{{version}}}","capabilities":{},"clientInfo":{"name":"weir-node","version":"{{{OwnVersion}}}"}}""";
        return AskAsync(child, "initialize", parameters, NodeErrors.HandshakeTimedOut, timeout, cancellation);
    }

    /// <summary>
    /// A server should answer a version that it does not know with one that it does; some answer with an error, which may name their
    /// versions. Null where there is nothing to try.
    /// </summary>
    private static string? VersionToTryNext(byte[] reply)
    {
        using var document = Parse(reply);
        if (!document.RootElement.TryGetProperty("error", out var error) || error.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        if (error.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Object
            && data.TryGetProperty("supported", out var supported) && supported.ValueKind == JsonValueKind.Array)
        {
            var named = supported.EnumerateArray().Where(v => v.ValueKind == JsonValueKind.String).Select(v => v.GetString()).ToHashSet();
            return Array.Find(Versions, named.Contains);
        }

        return error.TryGetProperty("code", out var code) && code.ValueKind == JsonValueKind.Number && code.TryGetInt32(out var number)
            && number == InvalidParams ? Oldest : null;
    }

    private static (byte[] Result, bool HasTools) ReadResult(byte[] reply)
    {
        using var document = Parse(reply);
        if (!document.RootElement.TryGetProperty("result", out var result))
        {
            throw Refused(NodeErrors.RequestRefused, "initialize", reply);
        }

        if (result.ValueKind != JsonValueKind.Object)
        {
            throw Failed(NodeErrors.ProtocolError, "The server's result of initialize is not an object.");
        }

        var version = result.TryGetProperty("protocolVersion", out var v) && v.ValueKind == JsonValueKind.String ? v.GetString()! : "";
        if (!Versions.Contains(version))
        {
            // Shown only if it has the form of a version: it is the server's own text.
            var named = VersionPattern().IsMatch(version) ? $"protocol version {version}" : "no protocol version of MCP";
            throw Failed(NodeErrors.VersionNotSupported, $"The server speaks {named}; the bridge speaks {string.Join(", ", Versions)}.");
        }

        var hasTools = result.TryGetProperty("capabilities", out var capabilities) && capabilities.ValueKind == JsonValueKind.Object
            && capabilities.TryGetProperty("tools", out var tools) && tools.ValueKind != JsonValueKind.Null;
        return (System.Text.Encoding.UTF8.GetBytes(result.GetRawText()), hasTools);
    }

    private static JsonDocument Parse(byte[] reply) => reply.Length <= ResultLimit
        ? JsonDocument.Parse(reply, new JsonDocumentOptions { MaxDepth = JsonDepth.Message })
        : throw Failed(NodeErrors.TooLarge, $"The server's answer to initialize is longer than {ResultLimit >> 10} KiB.");

    /// <param name="late">The code if no answer comes in time. Another attempt may succeed.</param>
    private static async Task<byte[]> AskAsync(
        ChildConnection child, string method, string parameters, string late, TimeSpan timeout, CancellationToken cancellation)
    {
        var reply = await child.AskAsync(method, parameters, timeout, cancellation)
            ?? throw new InstanceFailure(
                late, $"The server did not answer {method} within {timeout.TotalSeconds:0} s (handshake-timeout).");
        return child.IsOpen ? reply : throw new ChildEndedException(method);
    }

    /// <summary>
    /// A server that exits before it has answered will do so again. If a signal or the launcher ended it, the host may only have been
    /// out of memory or processes for a while.
    /// </summary>
    private static async Task<InstanceFailure> EndedAsync(ChildConnection child, string method, TimeProvider time)
    {
        await Task.WhenAny(child.Exited, Task.Delay(ExitTimeout, time, CancellationToken.None));
        var code = child.Exited.IsCompletedSuccessfully ? await child.Exited : (int?)null;
        var words = code is { } number
            ? $"The server ended with exit code {number} before it answered {method}."
            : $"The server closed its output before it answered {method}.";
        return new InstanceFailure(NodeErrors.ExitedAtStart, words + " Its log has what it printed.")
        {
            IsFinalAtFirst = code is < FirstForeignExitCode,
        };
    }

    private static InstanceFailure Refused(string code, string method, byte[] reply) => Failed(
        code, $"The server answered {method} with an error, which its log has.",
        ("stdout", System.Text.Encoding.UTF8.GetString(reply.AsSpan(0, Math.Min(reply.Length, LoggedError)))));

    private static InstanceFailure Failed(string code, string message, (string Source, string Text)? printed = null) =>
        new(code, message) { IsFinalAtFirst = true, Printed = printed };

    [GeneratedRegex(@"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\z",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex VersionPattern();

    /// <param name="method">What it was asked.</param>
    private sealed class ChildEndedException(string method) : Exception(method);
}
