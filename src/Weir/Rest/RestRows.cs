using System.Buffers;
using Npgsql;
using Weir.Postgres;

namespace Weir.Rest;

/// <summary>What a <see cref="RestStatement"/> answers, as one text.</summary>
/// <param name="Total">How many rows fit; null where that was not asked.</param>
/// <param name="Rows">How many of them are in the body.</param>
/// <param name="Body">JSON; null where there is no row, or nothing to say.</param>
/// <param name="IsTooLarge">The database measured a value and did not send it; what was done for it is committed.</param>
internal sealed record RestRows(long? Total, long Rows, ReadOnlyMemory<byte>? Body, bool IsTooLarge)
{
    private const int Chunk = 16 * 1024;

    /// <summary>Copies row after row, and no more than may be answered.</summary>
    /// <param name="reader">Of one <see cref="RestStatement"/>, sequential: its columns are read once, in their order.</param>
    /// <exception cref="RestException">It is more.</exception>
    public static async Task<RestRows> ReadAsync(NpgsqlDataReader reader, RestShape shape, int maxBytes, CancellationToken ct)
    {
        var body = new ArrayBufferWriter<byte>();
        long? total = null;
        long rows = 0;
        var isTooLarge = false;
        while (await reader.ReadAsync(ct))
        {
            total = reader.GetNullable<long>(0);
            isTooLarge |= reader.GetBoolean(1);
            if (!await reader.IsDBNullAsync(2, ct))
            {
                body.Write(rows++ == 0 ? "["u8 : ",\n"u8);
                await using var row = reader.GetStream(2);
                await CopyAsync(row, body, maxBytes, ct);
            }
        }

        return new RestRows(total, rows, Text(body, shape, rows), isTooLarge);
    }

    private static async Task CopyAsync(Stream row, ArrayBufferWriter<byte> body, int maxBytes, CancellationToken ct)
    {
        int read;
        while ((read = await row.ReadAsync(body.GetMemory(Chunk), ct)) > 0)
        {
            body.Advance(read);
            if (body.WrittenCount > maxBytes)
            {
                throw RestErrors.TooLarge(maxBytes);
            }
        }
    }

    private static ReadOnlyMemory<byte>? Text(ArrayBufferWriter<byte> body, RestShape shape, long rows)
    {
        if (shape == RestShape.Object)
        {
            return rows == 0 ? null : body.WrittenMemory[1..];
        }

        body.Write(rows == 0 ? "[]"u8 : "]"u8);
        return body.WrittenMemory;
    }
}
