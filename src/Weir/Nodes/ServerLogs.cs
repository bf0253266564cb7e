using System.Buffers;
using System.Text.Json;
using Weir.Configuration;
using Weir.Errors;
using Weir.Limits;

namespace Weir.Nodes;

/// <summary>Which node holds the log, and which values to mask.</summary>
internal sealed record ServerLogSource(Guid OrganizationId, Guid? NodeId, JsonElement Env, JsonElement Configuration, JsonElement Schema);

/// <summary>
/// The lines that a server on a node has printed. Who may read them was decided and recorded before, by the database; no transaction is
/// open while the node is asked.
/// </summary>
internal sealed class ServerLogs(NodesQueries queries, NodeDirectory nodes, NodeClient client)
{
    /// <summary>Limit of the lines in one answer. Bytes of JSON.</summary>
    public const int MostBytes = 256 * 1024;

    /// <summary>At most this many requests run at once, and one per organization, because each answer is held in memory.</summary>
    private const int AtOnce = 4;

    /// <summary>The sources of the contract. A node may send others, which are shown as <c>node</c>.</summary>
    private static readonly string[] Sources = ["stderr", "stdout", "mcp", "npm", "node"];

    private readonly RoundRobinLimiter<Guid> _turns = new(AtOnce);

    /// <returns>The last lines, oldest first, as JSON: <c>{server_instance_id, lines: [{at, source, text}], truncated}</c>.</returns>
    /// <exception cref="WeirException">
    /// WR004: the server is gone. WR014: it has too many values to mask. WR015: its node does not answer.
    /// </exception>
    public async Task<ReadOnlyMemory<byte>> ReadAsync(Guid instanceId, int tail, DateTimeOffset? since, CancellationToken ct)
    {
        var source = await queries.LogSourceAsync(instanceId, ct) ?? throw new WeirException(ErrorCode.NotFound, "there is no such server");
        using var turn = await _turns.EnterAsync(source.OrganizationId, ct);
        var mask = LogMask.Of(source.Env, source.Configuration, source.Schema, ct);
        var lines = source.NodeId is { } node ? await LinesAsync(node, instanceId, tail, since, ct) : [];
        return Write(instanceId, lines, mask, ct);
    }

    private async Task<LogLine[]> LinesAsync(Guid nodeId, Guid instanceId, int tail, DateTimeOffset? since, CancellationToken ct)
    {
        if (nodes.Nodes.GetValueOrDefault(nodeId) is not { } node)
        {
            throw Unavailable(NodeCallException.NodeUnreachable);
        }

        try
        {
            var lines = (await client.LogsAsync(node, instanceId, tail, since, ct)).Lines;
            // A node may send more than it was asked for.
            return lines.Length > tail ? lines[^tail..] : lines;
        }
        catch (NodeCallException e) when (e.Code == NodeErrors.NotFound)
        {
            return [];
        }
        catch (NodeCallException e)
        {
            throw Unavailable(e.Code);
        }
    }

    /// <summary>The newest lines that fit. Each is masked as a whole before anything is cut.</summary>
    private static ReadOnlyMemory<byte> Write(Guid instanceId, LogLine[] lines, LogMask mask, CancellationToken ct)
    {
        var (written, bytes) = (new List<byte[]>(), 0);
        foreach (var line in lines.Reverse())
        {
            ct.ThrowIfCancellationRequested();
            var json = Json(writer =>
            {
                writer.WriteStartObject();
                writer.WriteString("at", line.At);
                writer.WriteString("source", Sources.Contains(line.Source, StringComparer.Ordinal) ? line.Source : "node");
                writer.WriteString("text", mask.Apply(line.Text));
                writer.WriteEndObject();
            });
            bytes += json.Length + 1;
            if (bytes > MostBytes)
            {
                break;
            }

            written.Add(json);
        }

        written.Reverse();
        return Json(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("server_instance_id", instanceId);
            writer.WriteStartArray("lines");
            written.ForEach(json => writer.WriteRawValue(json, skipInputValidation: true));
            writer.WriteEndArray();
            writer.WriteBoolean("truncated", written.Count < lines.Length);
            writer.WriteEndObject();
        });
    }

    private static byte[] Json(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, PlainJson.Writing))
        {
            write(writer);
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <param name="code">A node's is any text; only a code of the closed list is shown.</param>
    private static WeirException Unavailable(string code)
    {
        var known = FailureCodes.All.Any(c => c.Key == code) ? code : NodeErrors.Internal;
        return new WeirException(ErrorCode.InstanceUnavailable, $"The log cannot be read: {known}.", FailureCodes.Sentence(known));
    }
}
